// One job: its head, its tabs, and the stream that keeps both true.

import {get, jobPath} from "../api.js";
import {fill, h} from "../dom.js";
import {isFinal} from "../phase.js";
import {failed, loading} from "../states.js";
import {Stream} from "../stream.js";
import {AttemptsPanel} from "./attempts.js";
import {CheckpointsPanel} from "./checkpoints.js";
import {FilesPanel} from "./files.js";
import {JobHead} from "./job_head.js";
import {LogsPanel} from "./logs.js";
import {OverviewPanel} from "./overview.js";
import {SpecPanel} from "./spec.js";
import {SpotlightPanel} from "./spotlight.js";

const EXPLAIN_MS = 15_000;
const SETTLE_MS = 300;
const TABS = [
  ["", "Overview", OverviewPanel],
  ["spotlight", "Spotlight", SpotlightPanel],
  ["logs", "Logs", LogsPanel],
  ["attempts", "Attempts", AttemptsPanel],
  ["checkpoints", "Checkpoints", CheckpointsPanel],
  ["files", "Files", FilesPanel],
  ["spec", "Spec", SpecPanel],
];

export class JobView {
  constructor(root, route, {setState}) {
    Object.assign(this, {root, route, setState});
    this.name = route.name;
    this.uid = route.query.get("uid") ?? "";
    this.events = [];
    this.listeners = new Set();
    this.controller = new AbortController();
    document.title = `${this.name} · VPPO`;
    root.className = "view-job";
    this.load();
  }

  async load() {
    fill(this.root, loading(`Loading ${this.name}`));
    try {
      this.job = await this.get();
    } catch (error) {
      if (error.name !== "AbortError") this.showError(error);
      return;
    }
    this.uid ||= this.job.metadata.uid;
    this.head = new JobHead(this);
    this.tabs = h("nav", {class: "tabs", "aria-label": `Views of ${this.name}`});
    this.body = h("div", {class: "tab-body"});
    fill(this.root, this.head.element, this.tabs, this.body);
    this.navigate(this.route);
    this.explain();
    this.stream = new Stream(this.path("events"), {
      query: {uid: this.uid},
      onEvents: (events) => this.take(events),
      onState: (state, error) => this.setState(state === "ended" && !isFinal(this.job.status.phase) ? "waiting" : state, error),
    });
    this.timer = setInterval(() => !document.hidden && !isFinal(this.job.status.phase) && this.explain(), EXPLAIN_MS);
  }

  showError(error) {
    fill(this.root, failed(error, () => this.load()), h("p", {class: "state-link"}, h("a", {href: "#/jobs"}, "Back to all jobs")));
  }

  // Path and answers of what belongs to this job, and not to a later one of its name.
  path(...rest) {
    return jobPath(this.name, ...rest);
  }

  get(...rest) {
    return get(this.path(...rest), {uid: this.uid}, {signal: this.controller.signal});
  }

  link(tab, query = {}) {
    const search = new URLSearchParams({uid: this.uid, ...query});
    return `#/jobs/${encodeURIComponent(this.name)}${tab && `/${tab}`}?${search}`;
  }

  navigate(route) {
    this.route = route;
    if (!this.tabs) return;
    const [tab, , Panel] = TABS.find(([path]) => path === route.tab) ?? TABS[0];
    if (this.panel && this.tab === tab) {
      this.panel.navigate?.(route.query);
      return;
    }
    this.panel?.destroy?.();
    this.listeners.clear();
    this.tab = tab;
    fill(this.tabs, TABS.map(([path, label]) => h("a", {href: this.link(path), "aria-current": path === tab ? "page" : null}, label)));
    this.tabs.querySelector("[aria-current]").scrollIntoView({block: "nearest", inline: "nearest"});
    this.panel = new Panel(this, route.query);
    this.root.classList.toggle("is-compact", tab !== "");
    fill(this.body, this.panel.element);
  }

  // Panels hear of every change until they are left.
  onChange(listener) {
    this.listeners.add(listener);
  }

  take(events) {
    const status = events.findLast((event) => event.type === "status");
    const progress = events.findLast((event) => event.type === "progress");
    const lines = events.filter((event) => event.type === "event").map((event) => event.data);
    if (events.some((event) => event.type === "reset")) this.events = [];
    const known = new Set(this.events.map((event) => event.seq));
    this.events.push(...lines.filter((event) => !known.has(event.seq)));
    const before = this.job.status;
    if (status) this.job = {...this.job, status: status.data};
    if (progress && !status) this.job = {...this.job, status: {...before, progress: {...before.progress, ...progress.data}}};
    if (status && (status.data.phase !== before.phase || status.data.queue?.position !== before.queue?.position)) this.explain();
    // The stream tells of the status only; what is wanted of the job stands in its spec.
    if (lines.length) this.refreshSoon();
    this.changed();
  }

  changed() {
    this.head.update();
    for (const listener of this.listeners) listener();
  }

  refreshSoon() {
    clearTimeout(this.refreshing);
    this.refreshing = setTimeout(() => this.refresh(), SETTLE_MS);
  }

  async refresh() {
    try {
      this.job = await this.get();
      this.changed();
    } catch (error) {
      if (error.name !== "AbortError") this.setState("waiting", error);
    }
  }

  async explain() {
    try {
      // The API explains the newest job of a name; an older one, which is over, has its conditions.
      const isNewest = !isFinal(this.job.status.phase) || (await get(this.path())).metadata.uid === this.uid;
      this.explanation = isNewest ? await get(this.path("explain"), {}, {signal: this.controller.signal}) : null;
    } catch (error) {
      if (error.name === "AbortError") return;
      this.explanation = null;
    }
    this.head.update();
  }

  destroy() {
    this.controller.abort();
    this.stream?.close();
    this.panel?.destroy?.();
    clearInterval(this.timer);
    clearTimeout(this.refreshing);
  }

  onKey(event) {
    return this.panel?.onKey?.(event) ?? false;
  }

  onFieldKey(event) {
    return this.panel?.onFieldKey?.(event) ?? false;
  }
}

