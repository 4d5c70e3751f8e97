// Short messages in the corner; errors stay until they are closed.

import {h, icon, iconButton} from "./dom.js";

const GOOD_FOR_MS = 5000;

export function say(text) {
  const toast = show("good", "check", text, "");
  setTimeout(() => toast.remove(), GOOD_FOR_MS);
}

export function sayError(error) {
  show("bad", "warn", error.message, error.hint ?? "", {role: "alert"});
}

function show(tone, sign, text, hint, props = {}) {
  const toast = h(
    "div",
    {class: `toast tone-${tone}`, ...props},
    icon(sign),
    h("div", {class: "toast-text"}, h("p", {}, text), hint && h("p", {class: "muted"}, hint)),
    iconButton("Close the message", "cross", () => toast.remove()),
  );
  document.getElementById("toasts").append(toast);
  return toast;
}
