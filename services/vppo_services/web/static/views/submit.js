// A job file becomes a plan, and the plan a job.

import {jobPath, newKey, request} from "../api.js";
import {openDialog} from "../dialogs.js";
import {button, fill, h, icon} from "../dom.js";
import {duration} from "../format.js";
import {say} from "../toast.js";
import {toYaml} from "../yaml.js";

const EXAMPLE = `apiVersion: vppo.io/v1alpha1
kind: VPPOJob
metadata:
  name: my-job
spec:
  model:
    source: demo://qwen2.5-vl
  data:
    source: demo://colours
`;

// `source` is the job to clone; without it the dialog starts empty.
export function openSubmit(source = null) {
  if (document.querySelector("dialog[open]")) return;
  const title = source ? `Clone ${source.metadata.name}` : "New job";
  openDialog(title, (close) => new Submit(source, close).element, {wide: true});
}

class Submit {
  constructor(source, close) {
    this.close = close;
    this.planned = null; // {text, hash}: what the shown plan is about
    this.shown = null; // the text that the shown answer is about
    this.key = newKey();
    this.text = h("textarea", {id: "job-file", spellcheck: "false", autofocus: true, rows: "18", placeholder: EXAMPLE, oninput: () => this.edited()});
    if (source) this.text.value = cloneText(source);
    this.file = h("input", {type: "file", id: "job-upload", class: "sr", accept: ".yaml,.yml,.json", onchange: () => this.read()});
    this.result = h("div", {class: "plan", role: "status", "aria-label": "Plan"}, hint());
    this.check = button("Check", {onclick: () => this.plan(), title: "Shows what the job would be; nothing is created"});
    this.create = button("Create", {kind: "primary", disabled: true, onclick: () => this.submit()});
    this.element = h(
      "div",
      {class: "submit"},
      h("div", {class: "submit-file"}, h("label", {for: "job-file"}, "Job file, YAML or JSON"), this.text,
        h("label", {class: "button quiet", for: "job-upload"}, icon("file"), "Open a file"), this.file),
      this.result,
      h("div", {class: "dialog-foot"}, this.check, this.create),
    );
    this.text.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) this.plan();
    });
  }

  edited() {
    this.create.disabled = this.text.value !== this.planned?.text;
    this.result.classList.toggle("is-old", this.shown !== null && this.text.value !== this.shown);
  }

  async read() {
    const [file] = this.file.files;
    if (!file) return;
    this.text.value = await file.text();
    this.edited();
    this.plan();
  }

  send(query, headers) {
    return request("jobs", {
      method: "POST",
      query,
      body: this.text.value,
      headers: {"content-type": "application/yaml", ...headers},
    });
  }

  async busy(work) {
    this.check.disabled = this.create.disabled = true;
    this.shown = this.text.value;
    this.result.setAttribute("aria-busy", "true");
    try {
      await work();
    } catch (error) {
      this.planned = null;
      fill(this.result, problems(error));
    } finally {
      this.check.disabled = false;
      this.result.removeAttribute("aria-busy");
      this.edited();
    }
  }

  plan() {
    return this.busy(async () => {
      const text = this.text.value;
      const plan = await (await this.send({dryRun: "true"})).json();
      this.planned = {text, hash: plan.planHash};
      this.key = newKey();
      fill(this.result, planView(plan));
    });
  }

  submit() {
    return this.busy(async () => {
      // A plan that no longer holds is refused, and a click that is repeated makes one job.
      const response = await this.send({}, {"if-plan-match": this.planned.hash, "idempotency-key": this.key});
      const job = await response.json();
      this.close();
      say(`${job.metadata.name} is created.`);
      location.hash = `#/${jobPath(job.metadata.name)}?uid=${job.metadata.uid}`;
    });
  }
}

function hint() {
  return h("p", {class: "muted"}, "Check shows queue, GPUs, price and time of the job, and what is wrong in the file. Nothing is created.");
}

function planView({job, gpus, queue, price, estimatedSeconds, warnings, process}) {
  const rows = [
    ["Name", job.metadata?.name || "made by the server"],
    ["Model", job.spec?.model?.source],
    ["Queue", `${queue.name} (pool ${queue.pool})`],
    ["Start", queue.isFree ? "at once" : `after ${queue.waiting} that wait${queue.waiting === 1 ? "s" : ""}`],
    ["GPUs", gpus ? String(gpus) : "none"],
    ["Time", estimatedSeconds ? `about ${duration(estimatedSeconds)}` : "unknown: no such job has run here"],
    ["Price", priceText(price)],
  ];
  return [
    h("p", {class: "tone-good plan-verdict"}, icon("check"), "The file is valid."),
    h("dl", {class: "facts"}, rows.map(([name, value]) => [h("dt", {}, name), h("dd", {}, value ?? "–")])),
    warnings.map((text) => h("p", {class: "note tone-warn"}, icon("warn"), text)),
    h("details", {}, h("summary", {}, "What would be started"), h("pre", {tabindex: "0"}, JSON.stringify(process, null, 2))),
  ];
}

function priceText(price) {
  if (!price?.perHour) return "none set";
  const hour = `${price.perHour.toFixed(2)} an hour`;
  return price.estimated ? `about ${price.estimated.toFixed(2)} (${hour})` : hour;
}

function problems(error) {
  const entries = error.errors.length ? error.errors : [{param: error.param, detail: error.message, hint: error.hint}];
  return [
    h("p", {class: "tone-bad plan-verdict", role: "alert"}, icon("warn"), error.status === 412 ? "The plan has changed; check again." : "This cannot be created."),
    h("ul", {class: "problems"}, entries.map((entry) => {
      const {param, detail, hint} = typeof entry === "string" ? {detail: entry} : entry;
      const rest = param && detail.startsWith(param) ? detail.slice(param.length) : detail;
      return h("li", {}, h("p", {}, param && h("code", {}, param), rest === detail ? " " : "", rest), hint && h("p", {class: "muted"}, hint));
    })),
  ];
}

// What the job was asked for, without its name and without what a server wrote.
export function cloneText({apiVersion, kind, metadata, spec}) {
  const {labels = {}} = metadata;
  const wanted = {...spec, desiredState: "Running"};
  const meta = {name: cloneName(metadata.name), ...(Object.keys(labels).length ? {labels} : {})};
  return toYaml(stripNulls({apiVersion, kind, metadata: meta, spec: wanted}));
}

// demo -> demo-2, demo-2 -> demo-3; at most 40 characters.
export function cloneName(name) {
  const [, stem, count] = /^(.*?)(?:-(\d{1,3}))?$/.exec(name);
  const suffix = `-${count ? Number(count) + 1 : 2}`;
  return stem.slice(0, 40 - suffix.length).replace(/-+$/, "") + suffix;
}

export function stripNulls(value) {
  if (Array.isArray(value)) return value.map(stripNulls);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).filter(([, item]) => item !== null).map(([key, item]) => [key, stripNulls(item)]));
}
