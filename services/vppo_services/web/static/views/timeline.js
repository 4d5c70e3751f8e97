// The events of a job, newest first.

import {fill, h, icon} from "../dom.js";
import {clock, dateTime} from "../format.js";

const SHOWN = 30;
const SIGNS = {Normal: ["info", "muted"], Warning: ["warn", "warn"], Audit: ["person", "info"]};

export class Timeline {
  constructor(view) {
    this.view = view;
    this.isWhole = false;
    this.list = h("ol", {class: "timeline"});
    this.more = h("button", {type: "button", class: "quiet", hidden: true, onclick: () => this.showAll()}, "Show all events");
    this.element = h("section", {class: "card events", "aria-labelledby": "events-title"}, h("h2", {id: "events-title"}, "Events"), this.list, this.more);
    view.onChange(() => this.update());
    this.update();
  }

  showAll() {
    this.isWhole = true;
    this.update();
  }

  update() {
    const {events} = this.view;
    const state = `${events.length} ${events.at(-1)?.seq} ${this.isWhole}`;
    if (state === this.state) return;
    this.state = state;
    const shown = this.isWhole ? events : events.slice(-SHOWN);
    this.more.hidden = shown.length === events.length;
    this.more.textContent = `Show all ${events.length} events`;
    fill(this.list, events.length ? dated(shown.toReversed()) : h("li", {class: "muted"}, "Nothing has happened yet."));
  }
}

// The date is said once, above its events.
function dated(events) {
  let day = "";
  return events.flatMap((event) => {
    const date = dateTime(event.time).slice(0, 10);
    const head = date === day ? [] : [h("li", {class: "day"}, date)];
    day = date;
    return [...head, entry(event)];
  });
}

function entry({time, actor, kind, reason, message}) {
  const [sign, tone] = SIGNS[kind] ?? SIGNS.Normal;
  return h(
    "li",
    {class: `event tone-${tone}`},
    icon(sign),
    h("div", {},
      h("p", {class: "event-head"}, h("strong", {}, reason), h("time", {datetime: time, title: dateTime(time), class: "muted"}, clock(time))),
      h("p", {}, message, actor && actor !== "vppo" && h("span", {class: "muted"}, ` · ${actor}`))),
  );
}
