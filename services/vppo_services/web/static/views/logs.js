// The log of a job as it is written: level, search, follow.

import {empty, loading} from "../states.js";
import {fill, h, setText} from "../dom.js";
import {clock, dateTime} from "../format.js";
import {Stream} from "../stream.js";

const KEPT = 5000;
const TAIL = 1000; // lines of the past; the whole log is a file
const LEVELS = ["debug", "info", "warning", "error"];
const RANK = {debug: 0, info: 1, warning: 2, error: 3, critical: 3};

export class LogsPanel {
  constructor(view) {
    this.lines = [];
    this.fresh = [];
    this.lastTop = 0;
    this.level = h("select", {id: "log-level", onchange: () => this.redraw()}, LEVELS.map((level) => h("option", {value: level}, level === "debug" ? "All levels" : `${level} and worse`)));
    this.search = h("input", {type: "search", id: "log-search", placeholder: "Find in the log", spellcheck: "false", oninput: () => this.redraw()});
    this.follow = h("input", {type: "checkbox", id: "log-follow", onchange: () => this.scrollDown()});
    this.follow.checked = true;
    this.count = h("span", {class: "muted count", role: "status"});
    this.rows = h("div", {class: "log-rows", tabindex: "0", role: "log", "aria-label": "Log lines", "aria-live": "off"}, loading("Loading the log"));
    this.rows.addEventListener("scroll", () => this.scrolled(), {passive: true});
    this.element = h(
      "section",
      {class: "card logs", "aria-label": "Log"},
      h("div", {class: "panel-bar"},
        h("label", {}, h("span", {class: "sr"}, "Level"), this.level),
        h("label", {class: "grow"}, h("span", {class: "sr"}, "Find in the log"), this.search),
        h("label", {class: "check"}, this.follow, "Follow"),
        this.count),
      this.rows,
    );
    this.stream = new Stream(view.path("logs"), {
      query: {uid: view.uid, tail: TAIL},
      onEvents: (events) => this.take(events),
      onState: (state, error) => this.settle(state, error),
    });
    this.waiting = setTimeout(() => this.settle("ended"), view.job.status.attempt ? 1500 : 0);
  }

  destroy() {
    this.stream.close();
    clearTimeout(this.waiting);
    cancelAnimationFrame(this.frame);
  }

  take(events) {
    for (const {type, data} of events) {
      if (type === "reset") this.clear();
      if (type === "log") this.fresh.push({...data, level: data.level.toLowerCase()});
    }
    this.frame ??= requestAnimationFrame(() => {
      this.frame = null;
      this.add();
    });
  }

  clear() {
    this.lines = [];
    this.fresh = [];
    this.rows.replaceChildren();
  }

  settle(state, error) {
    if (this.lines.length || this.fresh.length) return;
    if (state === "failed") fill(this.rows, empty("The log cannot be read", error?.message ?? ""));
    if (state === "ended") fill(this.rows, empty("No line yet", "The log begins when an attempt starts."));
  }

  add() {
    const fresh = this.fresh.splice(0);
    if (!this.lines.length) this.rows.replaceChildren();
    this.lines.push(...fresh);
    const surplus = this.lines.length - KEPT;
    if (surplus > 0) {
      this.lines.splice(0, surplus);
      this.redraw();
      return;
    }
    this.rows.append(...fresh.filter((line) => this.isWanted(line)).map(row));
    this.counted();
  }

  redraw() {
    this.rows.replaceChildren(...this.lines.filter((line) => this.isWanted(line)).map(row));
    if (!this.rows.childElementCount && this.lines.length) fill(this.rows, empty("No line matches", "Choose another level or text."));
    this.counted();
  }

  counted() {
    const count = this.lines.length.toLocaleString("en-US");
    setText(this.count, this.lines.length < TAIL ? `${count} lines` : `last ${count} lines; all are in log.jsonl under Files`);
    this.scrollDown();
  }

  isWanted({level, message, role}) {
    const text = this.search.value.trim().toLowerCase();
    return (RANK[level] ?? 1) >= RANK[this.level.value] && (!text || `${role} ${message}`.toLowerCase().includes(text));
  }

  scrollDown() {
    if (this.follow.checked) this.rows.scrollTop = this.rows.scrollHeight;
  }

  // Scrolling up stops following, scrolling to the end takes it up again.
  scrolled() {
    const {scrollHeight, scrollTop, clientHeight} = this.rows;
    if (scrollHeight - scrollTop - clientHeight < 24) this.follow.checked = true;
    else if (scrollTop < this.lastTop) this.follow.checked = false;
    this.lastTop = scrollTop;
  }

  onKey(event) {
    if (event.key !== "/") return false;
    this.search.focus();
    return true;
  }
}

function row({time, level, role, attempt, step, message}) {
  return h(
    "div",
    {class: `log-row level-${level}`},
    h("time", {datetime: time, title: dateTime(time)}, clock(time)),
    h("span", {class: "log-level"}, level),
    h("span", {class: "log-role"}, step === null ? role : `${role} · ${step}`, attempt > 1 && h("span", {class: "muted"}, ` a${attempt}`)),
    h("span", {class: "log-message"}, message),
  );
}
