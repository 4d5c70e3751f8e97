// Curves of the run and what happened to it.

import {h} from "../dom.js";
import {ChartsPanel} from "./charts.js";
import {Timeline} from "./timeline.js";

export class OverviewPanel {
  constructor(view) {
    this.charts = new ChartsPanel(view);
    this.timeline = new Timeline(view);
    this.element = h("div", {class: "overview"}, this.charts.element, this.timeline.element);
  }

  destroy() {
    this.charts.destroy();
  }
}
