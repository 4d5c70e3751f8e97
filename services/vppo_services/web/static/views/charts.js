// The charts of a run: loads plotly when it is first needed, follows the metrics, obeys the theme.

import {fill, h, setText} from "../dom.js";
import {empty, loading} from "../states.js";
import {Stream} from "../stream.js";
import {onThemeChange} from "../theme.js";
import {FIGURES, layout} from "./figures.js";

const DRAW_MS = 250;
const CONFIG = {displayModeBar: false, responsive: true, showTips: false, scrollZoom: false};
// Plotly brings a style sheet for maps, which the page forbids and does not need; it looks for this
// id, a digest of that sheet, and leaves it out where it finds one.
const MAP_STYLE = "9f215cf04c5486422605d13261cb87401f4e7763b6296af81e98efbc0130da53";
let plotly = null; // a promise, shared by all visits

export class ChartsPanel {
  constructor(view) {
    this.view = view;
    this.steps = new Map();
    this.cards = FIGURES.map((figure) => new Card(figure));
    this.element = h("section", {class: "charts", "aria-label": "Charts"}, loading("Loading the metrics"));
    this.stopTheme = onThemeChange(() => this.draw());
    this.stream = new Stream(view.path("metrics"), {
      query: {uid: view.uid},
      onEvents: (events) => this.take(events),
      onState: (state, error) => this.settle(state, error),
    });
    // A job without a step sends nothing: that is told after a moment.
    this.waiting = setTimeout(() => this.settle("ended"), view.job.status.attempt ? 1500 : 0);
    loadPlotly().then(() => this.drawSoon(), () => this.drawSoon());
  }

  destroy() {
    this.stream.close();
    this.stopTheme();
    clearTimeout(this.waiting);
    clearTimeout(this.drawing);
    if (window.Plotly) for (const card of this.cards) window.Plotly.purge(card.plot);
  }

  take(events) {
    for (const {type, data} of events) {
      if (type === "reset") this.steps.clear();
      // A step that is trained again after a lost attempt takes the place of its first try.
      if (type === "metric") this.steps.set(data.step, {...this.steps.get(data.step), ...data.values});
    }
    this.drawSoon();
  }

  settle(state, error) {
    if (this.steps.size || this.isDrawn) return;
    if (state === "failed") fill(this.element, empty("The metrics cannot be read", error?.message ?? ""));
    if (state === "ended") fill(this.element, empty("No step is done yet", "Curves appear with the first step."));
  }

  drawSoon() {
    this.drawing ??= setTimeout(() => {
      this.drawing = null;
      this.draw();
    }, this.isDrawn ? DRAW_MS : 0);
  }

  draw() {
    if (!this.steps.size) return;
    if (!this.isDrawn) fill(this.element, this.cards.map((card) => card.element));
    this.isDrawn = true;
    const steps = [...this.steps].sort(([a], [b]) => a - b);
    const restarts = this.view.job.status.attempts.slice(1).map((attempt) => [attempt.firstStep, attempt.index]);
    for (const card of this.cards) card.draw(steps, restarts);
  }
}

class Card {
  constructor(figure) {
    this.figure = figure;
    this.last = h("span", {class: "chart-last"});
    this.plot = h("div", {class: "plot", role: "img"}, h("span", {class: "spinner"}));
    this.element = h(
      "figure",
      {class: "card chart"},
      h("figcaption", {}, h("h2", {}, figure.title), this.last, h("p", {class: "muted"}, figure.caption)),
      this.plot,
    );
  }

  draw(steps, restarts) {
    const {figure} = this;
    const spoken = figure.last(steps);
    setText(this.last, spoken);
    this.plot.setAttribute("aria-label", `${figure.title}, last value: ${spoken}`);
    const data = figure.traces(steps);
    this.element.hidden = !data.length;
    if (window.Plotly) this.plot.firstElementChild?.matches(".spinner") && this.plot.replaceChildren();
    if (window.Plotly) window.Plotly.react(this.plot, data, layout(figure, restarts), CONFIG);
    else if (window.Plotly === null) setText(this.plot, "The curves need the Python package plotly on the server.");
  }
}

function loadPlotly() {
  plotly ??= new Promise((resolve, reject) => {
    const script = h("script", {src: new URL("vendor/plotly.min.js", document.baseURI)});
    script.onload = () => resolve(window.Plotly);
    script.onerror = () => {
      window.Plotly = null;
      reject(new Error("plotly is not served"));
    };
    document.head.append(h("meta", {id: MAP_STYLE}), script);
  });
  return plotly;
}
