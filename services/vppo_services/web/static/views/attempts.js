// Every try at the job: when, how it ended, which steps count and which are lost.

import {h, icon} from "../dom.js";
import {between, dateTime, duration, number} from "../format.js";
import {empty, show} from "../states.js";

const LOOK = {Succeeded: ["good", "check"], Stopped: ["muted", "pause"], Failed: ["bad", "cross"], Lost: ["warn", "warn"]};

export class AttemptsPanel {
  constructor(view) {
    this.view = view;
    this.element = h("section", {class: "attempts", "aria-label": "Attempts"});
    this.load();
    view.onChange(() => this.update());
  }

  load() {
    this.state = this.stateOf();
    show(this.element, () => this.view.get("attempts"), ({items}) => this.render(items));
  }

  stateOf() {
    const {attempt, phase, attempts} = this.view.job.status;
    return `${attempt} ${phase} ${attempts.at(-1)?.outcome}`;
  }

  update() {
    if (this.stateOf() !== this.state) this.load();
  }

  render(items) {
    if (!items.length) return empty("No attempt yet", "The first one starts when the job's turn has come.");
    const total = this.view.job.status.progress.totalSteps || Math.max(...items.map((item) => item.lastStep), 1);
    return items.toReversed().map((item) => attemptCard(item, total));
  }
}

function attemptCard(item, total) {
  const [tone, sign] = LOOK[item.outcome] ?? ["info", "play"];
  const isBad = item.outcome === "Failed" || item.outcome === "Lost";
  const lost = item.lostSteps ?? 0;
  const facts = [
    ["Started", dateTime(item.started ?? item.created)],
    ["Took", duration(between(item.created, item.ended))],
    ["Steps", item.lastStep > item.firstStep ? `${item.firstStep + 1}–${item.lastStep}` : "none"],
    ["Saved", item.checkpointStep ? `step ${item.checkpointStep}` : "nothing"],
    ["Lost", lost ? `${lost} steps (${lostGpuTime(item, lost)})` : "nothing"],
    ["GPUs", item.gpus || "none"],
    ["Exit code", item.exitCode ?? "–"],
  ];
  return h(
    "article",
    {class: "card attempt"},
    h("header", {},
      h("h2", {}, `Attempt ${item.index}`),
      h("span", {class: `badge tone-${tone}`}, icon(sign), item.outcome ?? "Live"),
      item.failureClass && h("code", {}, item.failureClass),
      item.outcome && isBad && h("span", {class: "muted"}, item.charged ? "counts against maxAttempts" : "not counted")),
    item.message && h("p", {class: isBad ? "message" : "muted"}, item.message),
    stepBar(item, total, lost),
    h("dl", {class: "facts"}, facts.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, String(value))))),
  );
}

function lostGpuTime(item, lost) {
  const done = item.lastStep - item.firstStep;
  const seconds = (between(item.started ?? item.created, item.ended) * lost * Math.max(item.gpus, 1)) / done;
  return item.gpus ? `about ${number(seconds / 3600, 2)} GPU-hours` : `about ${duration(seconds)}`;
}

// The attempt's steps on the scale of the whole job; lost ones are hatched.
function stepBar({firstStep, lastStep, ended}, total, lost) {
  const part = (kind, from, to) => to > from && h("span", {class: `steps-${kind}`, style: {left: `${(100 * from) / total}%`, width: `${(100 * (to - from)) / total}%`}});
  const kept = lastStep - lost;
  const text = `Steps ${firstStep} to ${kept} kept${lost ? `, ${kept} to ${lastStep} lost` : ""}, of ${total}`;
  return h("div", {class: "steps", role: "img", "aria-label": text, title: text}, part(ended ? "kept" : "live", firstStep, kept), part("lost", kept, lastStep));
}
