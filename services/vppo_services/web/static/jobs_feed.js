// The jobs of a filter: pages on demand, and what changes in those already here.

import {get} from "./api.js";
import {ACTIVE} from "./phase.js";

const PAGE = 100;
const POLL_MS = 3000;
const SLOWEST_POLL_MS = 12_000;

export class JobsFeed {
  // onChange() after every change; onState(live | waiting, error).
  constructor(filters, {onChange, onState}) {
    Object.assign(this, {filters, onChange, onState});
    this.items = [];
    this.cursor = null;
    this.isLoaded = false;
    this.isLoading = false;
    this.failures = 0;
    this.controller = new AbortController();
    this.onVisibility = () => !document.hidden && this.poll();
    document.addEventListener("visibilitychange", this.onVisibility);
  }

  close() {
    this.controller.abort();
    clearTimeout(this.timer);
    document.removeEventListener("visibilitychange", this.onVisibility);
  }

  get hasMore() {
    return this.cursor !== null;
  }

  async start() {
    const page = await this.page();
    this.items = page.items;
    this.cursor = page.nextCursor;
    this.isLoaded = true;
    this.onState("live");
    this.onChange();
    this.later();
  }

  async more() {
    if (this.isLoading || !this.hasMore) return;
    this.isLoading = true;
    try {
      const page = await this.page({cursor: this.cursor});
      const known = new Set(this.items.map(uid));
      this.items = [...this.items, ...page.items.filter((job) => !known.has(uid(job)))];
      this.cursor = page.nextCursor;
    } finally {
      this.isLoading = false;
      this.onChange();
    }
  }

  async page(extra = {}) {
    const query = {limit: PAGE, ...this.filters, ...extra};
    const {items, nextCursor} = await get("jobs", query, {signal: this.controller.signal});
    return {items: items.map(slim), nextCursor};
  }

  later() {
    clearTimeout(this.timer);
    if (this.controller.signal.aborted) return;
    this.timer = setTimeout(() => this.poll(), Math.min(POLL_MS * 2 ** this.failures, SLOWEST_POLL_MS));
  }

  // The newest page, and the jobs that are not over: only those can have changed.
  async poll() {
    if (!this.isLoaded || document.hidden) return;
    try {
      const wanted = [this.page()];
      if (!this.filters.phase?.length && this.items.length > PAGE) wanted.push(this.page({phase: ACTIVE}));
      const [newest, active] = await Promise.all(wanted);
      this.items = merged(this.items, newest, active?.items ?? []);
      this.failures = 0;
      this.onState("live");
      this.onChange();
    } catch (error) {
      if (error.name === "AbortError") return;
      this.failures += 1;
      this.onState("waiting", error);
    }
    this.later();
  }
}

// The newest page takes the place of everything as new as it; the rest is updated in place.
export function merged(old, newest, active) {
  const fresh = new Set(newest.items.map(uid));
  const oldest = newest.items.at(-1)?.metadata.creationTimestamp ?? "";
  const rest = newest.nextCursor
    ? old.filter((job) => !fresh.has(uid(job)) && job.metadata.creationTimestamp <= oldest)
    : [];
  const changed = new Map(active.map((job) => [uid(job), job]));
  return [...newest.items, ...rest.map((job) => changed.get(uid(job)) ?? job)];
}

// A row needs little of the spec; ten thousand whole ones would fill the memory.
function slim({metadata, spec, status}) {
  return {metadata, spec: {scheduling: spec.scheduling}, status};
}

export const uid = (job) => job.metadata.uid;
