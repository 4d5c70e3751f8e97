// Server-sent events over fetch: it can send the token, which EventSource cannot.

import {ApiError, request} from "./api.js";

const LONGEST_WAIT_MS = 30_000;

// Follows a path until its `end`. Reconnects where it stopped, with Last-Event-ID; rests while the
// tab is hidden, because a browser gives an origin six connections over all tabs.
export class Stream {
  // onEvents([{type, id, data}]) gets what came together; onState gets live | waiting | ended | failed.
  constructor(path, {query = {}, onEvents, onState = () => {}}) {
    Object.assign(this, {path, query, onEvents, onState});
    this.lastId = "";
    this.retry = 2000;
    this.failures = 0;
    this.isOver = false;
    this.onVisibility = () => (document.hidden ? this.rest() : this.open());
    document.addEventListener("visibilitychange", this.onVisibility);
    this.open();
  }

  close() {
    this.isOver = true;
    document.removeEventListener("visibilitychange", this.onVisibility);
    this.rest();
  }

  rest() {
    clearTimeout(this.timer);
    this.controller?.abort();
    this.controller = null;
  }

  async open() {
    if (this.isOver || this.controller || document.hidden) return;
    const controller = new AbortController();
    this.controller = controller;
    try {
      await this.follow(controller.signal);
    } catch (error) {
      if (error.name === "AbortError" || controller.signal.aborted) return;
      if (error instanceof ApiError && error.status >= 400 && error.status < 500 && error.status !== 429) {
        this.finish("failed", error);
        return;
      }
    }
    if (this.controller !== controller || this.isOver) return;
    this.controller = null;
    this.failures += 1;
    this.onState("waiting");
    this.timer = setTimeout(() => this.open(), Math.min(this.retry * 2 ** (this.failures - 1), LONGEST_WAIT_MS));
  }

  async follow(signal) {
    const headers = {accept: "text/event-stream"};
    if (this.lastId) headers["last-event-id"] = this.lastId;
    const response = await request(this.path, {query: this.query, headers, signal});
    this.onState("live");
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    const parser = new Parser();
    for (;;) {
      const {value, done} = await reader.read();
      if (done) return;
      this.failures = 0;
      this.take(parser.feed(value));
      if (this.isOver) {
        reader.cancel();
        return;
      }
    }
  }

  take({events, retry}) {
    if (retry) this.retry = retry;
    for (const event of events) if (event.id !== null) this.lastId = event.id;
    if (events.length) this.onEvents(events.filter((event) => event.type !== "end"));
    if (events.some((event) => event.type === "end")) this.finish("ended");
  }

  finish(state, error) {
    this.close();
    this.onState(state, error);
  }
}

export class Parser {
  constructor() {
    this.rest = "";
    this.reset();
  }

  reset() {
    this.type = "message";
    this.data = [];
    this.id = null;
  }

  // Events that are complete with this piece of text.
  feed(text) {
    const lines = (this.rest + text).split(/\r\n|\n/);
    this.rest = lines.pop();
    const found = {events: [], retry: 0};
    for (const line of lines) this.line(line, found);
    return found;
  }

  line(line, found) {
    if (line === "") {
      if (this.data.length) found.events.push({type: this.type, id: this.id, data: parsed(this.data.join("\n"))});
      this.reset();
      return;
    }
    const [, field, value] = /^([^:]*):? ?(.*)$/s.exec(line);
    if (field === "event") this.type = value;
    else if (field === "data") this.data.push(value);
    else if (field === "id") this.id = value;
    else if (field === "retry") found.retry = Number(value) || 0;
  }
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
