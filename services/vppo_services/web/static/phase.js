// What the page knows of phases: tone, sign, which verbs fit, one short line for a list.

import {h, icon} from "./dom.js";
import {between, rough} from "./format.js";

const LOOK = {
  Pending: ["muted", "clock"],
  Queued: ["warn", "queue"],
  Starting: ["info", "bolt"],
  Running: ["info", "play"],
  Stopping: ["warn", "stop"],
  Retrying: ["warn", "retry"],
  Paused: ["muted", "pause"],
  Succeeded: ["good", "check"],
  Failed: ["bad", "cross"],
  Cancelled: ["muted", "slash"],
};

export const PHASES = Object.keys(LOOK);
export const FINAL = ["Succeeded", "Failed", "Cancelled"];
export const ACTIVE = PHASES.filter((phase) => !FINAL.includes(phase));

export const isFinal = (phase) => FINAL.includes(phase);

export function tone(phase) {
  return (LOOK[phase] ?? LOOK.Pending)[0];
}

export function phaseBadge(phase) {
  const [tone, sign] = LOOK[phase] ?? LOOK.Pending;
  return h("span", {class: `badge tone-${tone}`, data: {phase}}, icon(sign), h("span", {}, phase));
}

// Which verbs make sense now; the server has the last word.
export function verbs(job) {
  const live = !isFinal(job.status.phase) && !job.metadata.deletionTimestamp;
  const desired = job.spec.desiredState;
  return {
    pause: live && desired === "Running",
    resume: live && desired === "Paused",
    cancel: live && desired !== "Cancelled",
    clone: true,
  };
}

export function share({progress = {}, phase}) {
  if (phase === "Succeeded") return 1;
  return progress.totalSteps ? Math.min(1, progress.step / progress.totalSteps) : 0;
}

// The line under a job's bar: what it does, waits for, or ended with.
export function summary({phase, progress = {}, queue = {}, attempts = [], conditions = [], checkpoint}) {
  const last = attempts.at(-1);
  if (phase === "Queued") return queue.position ? `position ${queue.position} in ${queue.name}` : reason(conditions, "Queued");
  if (phase === "Failed") return last?.failureClass ?? reason(conditions, "Failed");
  if (phase === "Retrying") return last?.failureClass ? `after ${last.failureClass}` : "";
  if (phase === "Starting") return progress.stage === "starting" || !progress.stage ? "starting" : progress.stage;
  if (phase === "Running") return [progress.stage, eta(progress)].filter(Boolean).join(" · ");
  if (phase === "Pending") return reason(conditions, "Accepted");
  if (phase === "Paused") return checkpoint ? `step ${checkpoint.step} is saved` : "nothing is saved";
  if (phase === "Succeeded" && last?.ended) return `took ${rough(between(attempts[0].created, last.ended))}`;
  return "";
}

export function eta({etaSeconds}) {
  return etaSeconds ? `${rough(etaSeconds)} left` : "";
}

function reason(conditions, type) {
  return conditions.find((one) => one.type === type)?.reason ?? "";
}
