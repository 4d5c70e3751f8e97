// Pause, resume, cancel and clone.

import {request} from "../api.js";
import {confirm} from "../dialogs.js";
import {button, h} from "../dom.js";
import {verbs} from "../phase.js";
import {say, sayError} from "../toast.js";
import {openSubmit} from "./submit.js";

const DONE = {
  pause: "is asked to pause; it saves a checkpoint first.",
  resume: "is asked to go on.",
  cancel: "is asked to end; it saves a checkpoint first.",
};
const WANTED = {pause: "Paused", resume: "Running", cancel: "Cancelled"};

export class JobActions {
  constructor(view) {
    this.view = view;
    this.busy = "";
    this.buttons = {
      pause: button("Pause", {icon: "pause", onclick: () => this.ask("pause")}),
      resume: button("Resume", {icon: "play", onclick: () => this.ask("resume")}),
      cancel: button("Cancel", {icon: "stop", kind: "danger-quiet", onclick: () => this.cancel()}),
      clone: button("Clone", {icon: "copy", onclick: () => openSubmit(view.job)}),
    };
    this.element = h("div", {class: "actions", role: "group", "aria-label": "Actions"}, Object.values(this.buttons));
  }

  update() {
    const allowed = verbs(this.view.job);
    for (const [verb, element] of Object.entries(this.buttons)) {
      element.disabled = Boolean(this.busy) && verb !== "clone";
      element.setAttribute("aria-busy", String(this.busy === verb));
      element.hidden = !allowed[verb];
    }
  }

  async cancel() {
    const {name} = this.view;
    const text = `${name} saves a checkpoint and ends for good. A cancelled job cannot be resumed; it can be cloned.`;
    if (await confirm(`Cancel ${name}?`, text, "Cancel the job")) await this.ask("cancel");
  }

  // The buttons change at once; the answer, or an error, puts them right.
  async ask(verb) {
    const {view} = this;
    this.busy = verb;
    this.update();
    try {
      await request(`${view.path()}:${verb}`, {method: "POST"});
      view.job = {...view.job, spec: {...view.job.spec, desiredState: WANTED[verb]}};
      say(`${view.name} ${DONE[verb]}`);
    } catch (error) {
      sayError(error);
    } finally {
      this.busy = "";
    }
    await view.refresh();
    view.changed();
  }
}
