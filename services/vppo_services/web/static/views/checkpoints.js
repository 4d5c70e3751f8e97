// Checkpoints: what they score, keep one for good, delete one.

import {request} from "../api.js";
import {confirm} from "../dialogs.js";
import {button, h, icon} from "../dom.js";
import {age, bytes, dateTime, fixed, percent} from "../format.js";
import {empty, show} from "../states.js";
import {say, sayError} from "../toast.js";

export class CheckpointsPanel {
  constructor(view) {
    this.view = view;
    this.element = h("section", {class: "card checkpoints", "aria-label": "Checkpoints"});
    this.load();
    view.onChange(() => this.newest() !== this.shown && this.load());
  }

  newest() {
    return this.view.job.status.checkpoint?.step;
  }

  load() {
    this.shown = this.newest();
    show(this.element, () => this.view.get("checkpoints"), ({items}) => this.render(items));
  }

  render(items) {
    if (!items.length) return empty("No checkpoint yet", "The first one is saved after `checkpoint.everySteps` steps, or when the job is paused.");
    const columns = ["Step", "Held out", "Accuracy", "Reward", "Dependency, nats", "Size", "Age", "Place", "Actions"];
    return h("div", {class: "scroll-x", tabindex: "0", role: "region", "aria-label": "Table of checkpoints"}, h(
      "table",
      {},
      h("thead", {}, h("tr", {}, columns.map((name) => h("th", {scope: "col"}, name)))),
      h("tbody", {}, items.toReversed().map((item) => this.row(item))),
    ));
  }

  row(item) {
    const {step, uri, sizeBytes, created, metrics, isPromoted} = item;
    return h(
      "tr",
      {},
      h("th", {scope: "row"}, String(step), isPromoted && h("span", {class: "badge tone-good"}, icon("pin"), "Kept")),
      h("td", {}, percent(metrics.evaluation_accuracy)),
      h("td", {}, percent(metrics.accuracy_mean)),
      h("td", {}, fixed(metrics.reward_mean)),
      h("td", {}, fixed(metrics.token_dependency_mean)),
      h("td", {}, bytes(sizeBytes)),
      h("td", {title: dateTime(created)}, age(created)),
      h("td", {class: "uri", title: uri}, h("code", {}, uri)),
      h("td", {class: "row-actions"},
        button("Keep", {icon: "pin", kind: "quiet", disabled: isPromoted, "aria-label": `Keep the checkpoint of step ${step} for good`, onclick: () => this.promote(step)}),
        button("Delete", {icon: "trash", kind: "quiet danger-quiet", "aria-label": `Delete the checkpoint of step ${step}`, onclick: () => this.remove(step)})),
    );
  }

  promote(step) {
    return this.change(`The checkpoint of step ${step} is kept for good.`, `${this.view.path("checkpoints", step)}:promote`, "POST");
  }

  async remove(step) {
    const text = `The checkpoint of step ${step} is removed from its place. It cannot be brought back.`;
    if (await confirm(`Delete the checkpoint of step ${step}?`, text, "Delete it")) {
      await this.change(`The checkpoint of step ${step} is deleted.`, this.view.path("checkpoints", step), "DELETE");
    }
  }

  async change(done, path, method) {
    try {
      await request(path, {method});
      say(done);
    } catch (error) {
      sayError(error);
    }
    this.load();
  }
}
