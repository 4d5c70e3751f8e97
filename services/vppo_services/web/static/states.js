// What a view shows in place of its content: nothing yet, nothing at all, an error.

import {button, h, icon} from "./dom.js";

export function loading(text = "Loading") {
  return h("div", {class: "state", role: "status"}, h("span", {class: "spinner", "aria-hidden": "true"}), h("p", {}, text));
}

export function empty(title, text = "", ...actions) {
  return h("div", {class: "state"}, icon("info"), h("h2", {}, title), text && h("p", {class: "muted"}, text), ...actions);
}

export function failed(error, retry) {
  return h(
    "div",
    {class: "state tone-bad", role: "alert"},
    icon("warn"),
    h("h2", {}, error.message),
    error.hint && h("p", {class: "muted"}, error.hint),
    retry && button("Try again", {icon: "retry", onclick: retry}),
  );
}

// Shows the answer of `load` in `root`; `isOver` says that nobody waits for it any more.
export async function show(root, load, render, isOver = () => false) {
  root.replaceChildren(loading());
  try {
    const answer = await load();
    if (!isOver()) root.replaceChildren(...[render(answer)].flat());
  } catch (error) {
    if (error.name !== "AbortError" && !isOver()) {
      root.replaceChildren(failed(error, () => show(root, load, render, isOver)));
    }
  }
}
