// The head of a job: phase, why, progress, what it holds and costs, what may be done.

import {fill, h, icon, setText} from "../dom.js";
import {age, between, dateTime, duration, hours, number} from "../format.js";
import {eta, isFinal, phaseBadge, share, tone} from "../phase.js";
import {progressBar} from "../progress.js";
import {JobActions} from "./job_actions.js";
import {owner} from "./job_row.js";

export class JobHead {
  constructor(view) {
    this.view = view;
    this.badge = h("span", {class: "job-phase", role: "status"});
    this.why = h("div", {class: "why"});
    this.bar = progressBar(`Progress of ${view.name}`);
    this.step = h("span", {class: "step"});
    this.pace = h("span", {class: "muted"});
    this.facts = h("dl", {class: "facts job-facts"});
    this.actions = new JobActions(view);
    this.element = h(
      "header",
      {class: "job-head"},
      h(
        "div",
        {class: "job-title"},
        h("nav", {class: "crumb", "aria-label": "Breadcrumb"}, h("a", {href: "#/jobs"}, "Jobs"), h("span", {"aria-hidden": "true"}, "/")),
        h("h1", {title: view.name}, view.name),
        this.badge,
        this.actions.element,
      ),
      this.why,
      h("div", {class: "job-progress"}, this.bar.element, h("div", {class: "job-progress-text"}, this.step, this.pace)),
      this.facts,
    );
    this.update();
  }

  update() {
    const {status} = this.view.job;
    if (this.phase !== status.phase) fill(this.badge, phaseBadge(status.phase));
    this.phase = status.phase;
    this.bar.set(share(status), tone(status.phase));
    const {progress} = status;
    setText(this.step, progress.totalSteps ? `Step ${progress.step} of ${progress.totalSteps}` : "No step yet");
    setText(this.pace, paceText(status));
    this.updateWhy();
    this.updateFacts();
    this.actions.update();
  }

  updateWhy() {
    const {job, explanation} = this.view;
    const found = explanation ?? {sentence: fallback(job.status), causes: [], hint: ""};
    const text = JSON.stringify([found, job.status.phase]);
    if (text === this.whyText) return;
    this.whyText = text;
    const causes = found.causes.filter((cause) => cause.message && cause.message !== found.sentence);
    // Of a run that trains as it should, the bar below says the same, and is never late.
    this.why.hidden = !found.sentence || (job.status.phase === "Running" && !found.hint);
    this.why.className = `why tone-${tone(job.status.phase)}`;
    fill(
      this.why,
      icon(job.status.phase === "Failed" ? "warn" : "info"),
      h(
        "div",
        {},
        h("p", {class: "why-sentence"}, found.sentence),
        causes.map((cause) => h("p", {class: "why-cause"}, h("code", {}, cause.reason), " ", cause.message)),
        found.hint && h("p", {class: "muted"}, found.hint),
      ),
    );
  }

  updateFacts() {
    const {metadata, spec, status} = this.view.job;
    const {usage, queue, checkpoint} = status;
    const lost = usage.gpuSecondsAllocated ? usage.gpuSecondsLost / usage.gpuSecondsAllocated : 0;
    const facts = [
      ["Queue", [queue.name || spec.scheduling.queue || "default", queue.pool && ` · pool ${queue.pool}`]],
      ["Attempt", `${status.attempt || "–"} (up to ${spec.scheduling.maxAttempts} may fail)`],
      ["Checkpoint", checkpoint ? `step ${checkpoint.step}, ${age(checkpoint.created)} ago` : "none"],
      ["GPUs", usage.gpus ? String(usage.gpus) : "none"],
      ["GPU time", hours(usage.gpuSecondsAllocated)],
      ["Lost work", usage.gpuSecondsLost ? `${hours(usage.gpuSecondsLost)} (${number(lost * 100, 2)} %)` : "none"],
      ["Owner", owner(metadata) ?? this.view.events.find((event) => event.reason === "Created")?.actor ?? "–"],
      ["Created", h("span", {title: dateTime(metadata.creationTimestamp)}, `${age(metadata.creationTimestamp)} ago`)],
      ["Model", spec.model.source],
    ];
    fill(this.facts, facts.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
  }
}

function paceText(status) {
  const {progress, phase, attempts} = status;
  const seconds = Object.values(progress.stageSeconds ?? {}).reduce((sum, value) => sum + value, 0);
  if (isFinal(phase)) {
    const first = attempts[0];
    const last = attempts.at(-1);
    return first && last?.ended ? `took ${duration(between(first.created, last.ended))}` : "";
  }
  if (phase !== "Running") return "";
  return [progress.stage, seconds && `${duration(seconds)} a step`, eta(progress)].filter(Boolean).join(" · ");
}

// Where the API gives no explanation, the conditions speak.
function fallback({phase, conditions}) {
  const type = {Queued: "Queued", Failed: "Failed", Paused: "Paused", Pending: "Accepted"}[phase];
  return conditions.find((one) => one.type === type)?.message ?? "";
}
