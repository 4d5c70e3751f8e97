// Spotlight: what the model looked at, per step with sampled answers.

import {fill, h, iconButton, setText} from "../dom.js";
import {empty, failed, loading} from "../states.js";
import {answerCard, showMasked} from "./answer.js";
import {legend} from "./scale.js";
import {TokenTip, walkTokens} from "./token_tip.js";

const KEPT_STEPS = 8; // answers with pictures are large
const SLIDE_MS = 120;
const ORDERS = [
  ["", "as sampled", null],
  ["dependency-down", "dependency, highest first", (a, b) => b.trajectoryDependency - a.trajectoryDependency],
  ["dependency-up", "dependency, lowest first", (a, b) => a.trajectoryDependency - b.trajectoryDependency],
  ["reward-down", "reward, highest first", (a, b) => b.reward - a.reward],
  ["reward-up", "reward, lowest first", (a, b) => a.reward - b.reward],
  ["advantage-down", "advantage, highest first", (a, b) => b.advantage - a.advantage],
  ["advantage-up", "advantage, lowest first", (a, b) => a.advantage - b.advantage],
];

export class SpotlightPanel {
  constructor(view, query) {
    this.view = view;
    this.steps = [];
    this.index = -1;
    this.isMasked = false;
    this.cache = new Map();
    this.wanted = Number(query.get("step")) || null;
    this.slider = h("input", {type: "range", id: "step-slider", min: "0", step: "1", oninput: () => this.slide()});
    this.shown = h("output", {for: "step-slider", class: "step-shown"});
    this.earlier = iconButton("Earlier step (←)", "left", () => this.go(this.index - 1));
    this.later = iconButton("Later step (→)", "right", () => this.go(this.index + 1));
    this.order = h("select", {id: "answer-order", onchange: () => this.render()}, ORDERS.map(([value, text]) => h("option", {value}, text)));
    this.masked = h("input", {type: "checkbox", id: "masked", onchange: () => this.mask(this.masked.checked)});
    this.answers = h("div", {class: "answers"}, loading("Loading the steps"));
    this.tip = new TokenTip(this.answers);
    this.bar = h(
      "div",
      {class: "card spotlight-bar", hidden: true},
      h("div", {class: "spotlight-controls"},
        h("div", {class: "stepper"}, h("label", {for: "step-slider", class: "sr"}, "Step"), this.earlier, this.slider, this.later, this.shown),
        h("label", {}, h("span", {class: "muted"}, "Order"), this.order),
        h("label", {class: "check", title: "m"}, this.masked, "Masked image")),
      legend(),
    );
    this.element = h("section", {class: "spotlight", "aria-label": "Spotlight"}, this.bar, this.answers, this.tip.element);
    this.load();
    view.onChange(() => view.job.status.checkpoint?.step !== this.newest && this.loadSteps());
  }

  destroy() {
    this.isOver = true;
    this.tip.destroy();
    clearTimeout(this.sliding);
  }

  async load() {
    try {
      await this.loadSteps();
    } catch (error) {
      if (error.name !== "AbortError") fill(this.answers, failed(error, () => this.load()));
    }
  }

  async loadSteps() {
    this.newest = this.view.job.status.checkpoint?.step;
    const {steps} = await this.view.get("spotlight");
    if (this.isOver || (this.isKnown && String(steps) === String(this.steps))) return;
    this.isKnown = true;
    const current = this.steps[this.index] ?? this.wanted;
    this.steps = steps;
    this.slider.max = String(Math.max(0, steps.length - 1));
    this.slider.disabled = steps.length < 2;
    this.bar.hidden = !steps.length;
    const found = steps.indexOf(current);
    await this.go(found < 0 ? steps.length - 1 : found);
  }

  navigate(query) {
    const found = this.steps.indexOf(Number(query.get("step")));
    if (found >= 0 && found !== this.index) this.go(found);
  }

  slide() {
    const index = Number(this.slider.value);
    this.tell(index);
    clearTimeout(this.sliding);
    this.sliding = setTimeout(() => this.go(index), SLIDE_MS);
  }

  tell(index) {
    const text = `step ${this.steps[index]}`;
    setText(this.shown, `${text} (${index + 1} of ${this.steps.length})`);
    this.slider.setAttribute("aria-valuetext", text);
    this.earlier.disabled = index <= 0;
    this.later.disabled = index >= this.steps.length - 1;
  }

  async go(index) {
    if (!this.steps.length) {
      fill(this.answers, empty("No answers yet", "A few answers are kept with every checkpoint; the first one comes with the first checkpoint."));
      return;
    }
    if (index < 0 || index >= this.steps.length) return;
    this.index = index;
    this.slider.value = String(index);
    this.tell(index);
    const step = this.steps[index];
    history.replaceState(null, "", this.view.link("spotlight", {step}));
    this.answers.setAttribute("aria-busy", "true");
    try {
      const found = await this.fetch(step);
      if (this.steps[this.index] !== step || this.isOver) return; // a later key was faster
      this.samples = found.samples;
      this.render();
    } catch (error) {
      if (error.name !== "AbortError" && this.steps[this.index] === step) fill(this.answers, failed(error, () => this.go(index)));
    } finally {
      this.answers.removeAttribute("aria-busy");
    }
  }

  async fetch(step) {
    const found = this.cache.get(step) ?? (await this.view.get("spotlight", step));
    this.cache.delete(step);
    this.cache.set(step, found);
    if (this.cache.size > KEPT_STEPS) this.cache.delete(this.cache.keys().next().value);
    return found;
  }

  render() {
    this.tip.hide();
    const [, , compare] = ORDERS.find(([value]) => value === this.order.value);
    const samples = compare ? this.samples.toSorted(compare) : this.samples;
    if (!samples.length) fill(this.answers, empty("No answers in this step", "Choose another step."));
    else fill(this.answers, samples.map((sample, index) => answerCard(sample, index + 1)));
    showMasked(this.answers, this.isMasked);
  }

  mask(isMasked) {
    this.isMasked = isMasked;
    this.masked.checked = isMasked;
    showMasked(this.answers, isMasked);
  }

  onKey(event) {
    if (walkTokens(event)) return true;
    const actions = {
      ArrowLeft: () => this.go(this.index - 1),
      ArrowRight: () => this.go(this.index + 1),
      m: () => this.mask(!this.isMasked),
      j: () => this.walkAnswers(1),
      k: () => this.walkAnswers(-1),
    };
    actions[event.key]?.();
    return event.key in actions;
  }

  onFieldKey(event) {
    if (event.key !== "m" || event.target === this.order) return false;
    this.mask(!this.isMasked);
    return true;
  }

  walkAnswers(by) {
    const cards = [...this.answers.querySelectorAll(".answer")];
    const current = cards.indexOf(document.activeElement?.closest(".answer"));
    const target = cards[current < 0 ? 0 : Math.min(Math.max(current + by, 0), cards.length - 1)];
    target?.focus({preventScroll: true});
    target?.scrollIntoView({block: "start"});
  }
}
