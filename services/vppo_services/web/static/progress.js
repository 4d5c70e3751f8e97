// A bar with its value for readers.

import {h} from "./dom.js";

export function progressBar(label) {
  const value = h("span", {class: "meter-fill"});
  const bar = h("span", {class: "meter", role: "progressbar", "aria-label": label, "aria-valuemin": "0", "aria-valuemax": "100"}, value);
  return {
    element: bar,
    set(share, tone, isOver = false) {
      const percent = Math.round(share * 1000) / 10;
      bar.setAttribute("aria-valuenow", String(percent));
      bar.className = `meter tone-${tone}${isOver ? " is-over" : ""}`;
      value.style.setProperty("transform", `scaleX(${share})`);
    },
  };
}
