// Modal dialogs: a frame for any, a question, the token, the keys.

import {setToken} from "./api.js";
import {button, h, iconButton} from "./dom.js";

export const KEYS = [
  ["?", "show these keys"],
  ["/", "search jobs by name"],
  ["n", "submit a job"],
  ["j  k  ↓  ↑", "next or previous job, or answer in Spotlight"],
  ["Enter", "open the job"],
  ["u", "back to the jobs"],
  ["←  →", "earlier or later step in Spotlight; tokens, when one is focused"],
  ["m", "masked image in Spotlight"],
  ["t", "light, dark or system colours"],
  ["Esc", "close a dialog"],
];

// Shows a modal dialog; the promise gives what `close(value)` was called with, null on Esc.
export function openDialog(title, build, {wide = false} = {}) {
  return new Promise((resolve) => {
    let result = null;
    const close = (value = null) => {
      result = value;
      dialog.close();
    };
    const heading = h("h2", {id: `title-${Math.random().toString(36).slice(2)}`}, title);
    const dialog = h(
      "dialog",
      {class: wide ? "wide" : "", "aria-labelledby": heading.id},
      h("div", {class: "dialog-head"}, heading, iconButton("Close", "cross", () => close())),
      build(close),
    );
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(result);
    });
    document.body.append(dialog);
    dialog.showModal();
    dialog.querySelector("[autofocus]")?.focus();
  });
}

export function confirm(title, text, verb, {kind = "danger"} = {}) {
  return openDialog(title, (close) => [
    h("p", {}, text),
    h(
      "div",
      {class: "dialog-foot"},
      button("Back", {onclick: () => close(false)}),
      button(verb, {kind, onclick: () => close(true), autofocus: true}),
    ),
  ]).then((answer) => answer === true);
}

let asking = null; // several requests may miss a token at once

export function askForToken() {
  asking ??= tokenDialog().finally(() => {
    asking = null;
  });
  return asking;
}

function tokenDialog() {
  return openDialog("A token is needed", (close) => {
    const field = h("input", {type: "password", id: "token", autocomplete: "off", required: true, autofocus: true});
    const onsubmit = (event) => {
      event.preventDefault();
      setToken(field.value.trim());
      close(true);
    };
    return h(
      "form",
      {onsubmit},
      h("p", {class: "muted"}, "This server answers callers with a token only. It is kept until this tab is closed."),
      h("label", {for: "token"}, "Token"),
      field,
      h("div", {class: "dialog-foot"}, h("button", {type: "submit", class: "primary"}, "Continue")),
    );
  }).then((value) => value === true);
}

export function showKeys() {
  if (document.querySelector("dialog[open]")) return;
  openDialog("Keys", () =>
    h("dl", {class: "keys"}, KEYS.map(([keys, what]) => [
      h("dt", {}, keys.split("  ").map((key) => h("kbd", {}, key))),
      h("dd", {}, what),
    ])),
  );
}
