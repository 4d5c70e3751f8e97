// How nats become shades: a logarithmic scale, the same for every answer and step, so that two
// pictures can be compared.

import {h} from "../dom.js";
import {number} from "../format.js";

const LOWEST_EXPONENT = -3; // 0.001 nats and less is no shade
const HIGHEST_EXPONENT = 1; // 10 nats, the clamp of the estimate, is the deepest
export const SHADES = 8;

// 0 for no shade, 1..8 for half a decade each.
export function shade(nats) {
  if (!(nats > 10 ** LOWEST_EXPONENT)) return 0;
  const share = (Math.log10(nats) - LOWEST_EXPONENT) / (HIGHEST_EXPONENT - LOWEST_EXPONENT);
  return Math.min(SHADES, 1 + Math.floor(share * SHADES));
}

// The lower end of a shade, in nats.
export function lowerEnd(index) {
  return index === 0 ? 0 : 10 ** (LOWEST_EXPONENT + ((index - 1) * (HIGHEST_EXPONENT - LOWEST_EXPONENT)) / SHADES);
}

export function legend() {
  const swatches = Array.from({length: SHADES + 1}, (_, index) =>
    h("li", {}, h("span", {class: `swatch shade-${index}`}), h("span", {}, index % 2 || index === 0 ? number(lowerEnd(index), 1) : "")),
  );
  return h(
    "div",
    {class: "legend"},
    h("span", {id: "legend-title"}, "Dependency, nats"),
    h("ol", {class: "swatches", "aria-labelledby": "legend-title"}, swatches),
    h("span", {class: "legend-kept"}, h("span", {class: "token is-kept"}, "trained"), h("span", {class: "token is-dropped"}, "left out")),
  );
}
