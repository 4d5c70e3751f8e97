// One row of the jobs table, and its head.

import {h, setText} from "../dom.js";
import {age, dateTime} from "../format.js";
import {isFinal, phaseBadge, share, summary, tone} from "../phase.js";
import {progressBar} from "../progress.js";

const COLUMNS = ["Name", "Phase", "Progress", "Step", "Attempt", "GPUs", "Queue", "Owner", "Age"];

export function jobsHead() {
  return h(
    "div",
    {class: "list-head", role: "rowgroup"},
    h("div", {class: "job-row", role: "row"}, COLUMNS.map((name) => h("span", {role: "columnheader", class: `c-${name.toLowerCase()}`}, name))),
  );
}

// {element, update(job)}: built once, then only texts that differ are changed.
export function jobRow(job) {
  const {name, uid, creationTimestamp} = job.metadata;
  const href = `#/jobs/${encodeURIComponent(name)}?uid=${uid}`;
  const bar = progressBar(`Progress of ${name}`);
  const cells = Object.fromEntries(COLUMNS.map((column) => [column, h("span", {role: "gridcell", class: `c-${column.toLowerCase()}`})]));
  const detail = h("span", {class: "detail"});
  cells.Name.append(h("a", {href, tabindex: "-1", title: name}, name));
  cells.Progress.append(bar.element, detail);
  cells.Age.title = dateTime(creationTimestamp);
  const element = h("div", {class: "job-row", role: "row", "aria-label": name}, COLUMNS.map((column) => cells[column]));
  let phase = "";

  function update({metadata, spec, status}) {
    const {progress, queue, usage} = status;
    if (status.phase !== phase) cells.Phase.replaceChildren(phaseBadge(status.phase));
    phase = status.phase;
    bar.set(share(status), tone(phase), isFinal(phase));
    setText(detail, summary(status));
    setText(cells.Step, progress?.totalSteps ? `${progress.step}/${progress.totalSteps}` : "–");
    setText(cells.Attempt, status.attempt ? `${status.attempt}` : "–");
    setText(cells.GPUs, usage?.gpus ? String(usage.gpus) : "–");
    setText(cells.Queue, queue?.name || spec.scheduling?.queue || "default");
    setText(cells.Owner, owner(metadata) ?? "–");
    setText(cells.Age, age(creationTimestamp));
    element.classList.toggle("is-leaving", Boolean(metadata.deletionTimestamp));
  }

  return {element, update};
}

// Undefined where the API does not say.
export function owner({owner: name, labels = {}, annotations = {}}) {
  return name ?? annotations["vppo.io/owner"] ?? labels.owner;
}
