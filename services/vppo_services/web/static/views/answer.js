// One sampled answer: its image, its numbers, its tokens shaded by how much they lean on the image.

import {h, icon} from "../dom.js";
import {number, percent, signed} from "../format.js";
import {shade} from "./scale.js";

const RIGHT = 0.5;

export function answerCard(sample, rank) {
  const isRight = sample.reward >= RIGHT;
  const keptCount = sample.kept.filter(Boolean).length;
  const numbers = [
    ["Dependency", `${number(sample.trajectoryDependency)} nats`, "Mean over the answer's tokens"],
    ["Advantage", signed(sample.advantage), "Reward against its group, before shaping"],
    ["Weight", `× ${number(sample.shapingWeight)}`, "What shaping multiplies the advantage by"],
    ["Trained", `${keptCount} of ${sample.tokens.length}`, `${percent(keptCount / sample.tokens.length)} of the tokens keep their gradient`],
  ];
  return h(
    "article",
    {class: "card answer", tabindex: "-1", "aria-label": `Answer ${rank}, reward ${number(sample.reward)}`},
    picture(sample),
    h(
      "div",
      {class: "answer-body"},
      h("div", {class: "answer-head"},
        h("span", {class: `badge tone-${isRight ? "good" : "bad"}`}, icon(isRight ? "check" : "cross"), `Reward ${number(sample.reward)}`),
        h("dl", {class: "numbers"}, numbers.map(([name, value, title]) => h("div", {title}, h("dt", {}, name), h("dd", {}, value))))),
      h("dl", {class: "question"},
        h("dt", {}, "Problem"), h("dd", {class: "problem"}, sample.problem),
        h("dt", {}, "Reference"), h("dd", {}, sample.reference || "–")),
      tokens(sample),
    ),
  );
}

// Swaps all images of a container between clean and masked.
export function showMasked(container, isMasked) {
  for (const image of container.querySelectorAll("img[data-clean]")) {
    image.src = isMasked ? image.dataset.masked : image.dataset.clean;
    image.alt = isMasked ? "The image as the masked view shows it" : "The image of the problem";
    image.nextElementSibling.textContent = isMasked ? "masked" : "as the model sees it";
  }
}

function picture({imagePng, maskedPng}) {
  if (!imagePng) return h("div", {class: "picture is-none"}, h("span", {class: "muted"}, "no image"));
  const clean = `data:image/png;base64,${imagePng}`;
  const masked = maskedPng ? `data:image/png;base64,${maskedPng}` : clean;
  const image = h("img", {src: clean, alt: "The image of the problem", data: {clean, masked}, decoding: "async"});
  // A picture of a few patches stays sharp when it is enlarged.
  image.addEventListener("load", () => image.classList.toggle("is-small", image.naturalWidth < 160));
  return h("figure", {class: "picture"}, image, h("figcaption", {class: "muted"}, "as the model sees it"));
}

function tokens({tokens: texts, dependency, kept}) {
  const spans = texts.map((text, index) => {
    const nats = dependency[index];
    const state = kept[index] ? "kept" : "dropped";
    const special = /^<[|/a-z].*>$/i.test(text) ? " is-special" : "";
    const spoken = `${text.trim() || "blank"}: ${number(nats)} nats, ${kept[index] ? "trained" : "left out"}`;
    return h(
      "span",
      {
        class: `token is-${state} shade-${shade(nats)}${special}`,
        role: "listitem",
        tabindex: index === 0 ? "0" : "-1",
        "aria-label": spoken,
        data: {index: String(index), nats: String(nats), state},
      },
      text.includes("\n") ? text.replaceAll("\n", "↵\n") : text,
    );
  });
  return h("div", {class: "tokens", role: "list", "aria-label": "Tokens of the answer"}, spans);
}
