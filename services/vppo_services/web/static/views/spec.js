// The job as it was asked for, defaults included, ready to copy and submit again.

import {button, fill, h} from "../dom.js";
import {say} from "../toast.js";
import {toYaml} from "../yaml.js";
import {stripNulls} from "./submit.js";

export class SpecPanel {
  constructor(view) {
    this.view = view;
    this.code = h("pre", {class: "yaml", tabindex: "0", "aria-label": "Spec in YAML"});
    this.element = h(
      "section",
      {class: "card spec", "aria-labelledby": "spec-title"},
      h("div", {class: "panel-bar"}, h("h2", {id: "spec-title"}, "Spec"), h("span", {class: "muted grow"}, "defaults included"), button("Copy", {icon: "copy", onclick: () => this.copy()})),
      this.code,
    );
    view.onChange(() => this.update());
    this.update();
  }

  update() {
    const {apiVersion, kind, metadata, spec} = this.view.job;
    const {name, labels, annotations} = metadata;
    const text = toYaml(stripNulls({apiVersion, kind, metadata: {name, labels, annotations}, spec}));
    if (text === this.text) return;
    this.text = text;
    fill(this.code, text.split("\n").map(coloured));
  }

  async copy() {
    try {
      await navigator.clipboard.writeText(this.text);
      say("The spec is copied.");
    } catch {
      // Without a secure context there is no clipboard: the text is selected instead.
      getSelection().selectAllChildren(this.code);
      say("The spec is selected; copy it with the keyboard.");
    }
  }
}

function coloured(line) {
  const match = /^(\s*(?:- )?)([A-Za-z0-9_./"-]+:)(.*)$/.exec(line);
  if (!match) return `${line}\n`;
  const [, indent, key, value] = match;
  return [indent, h("span", {class: "yaml-key"}, key), `${value}\n`];
}
