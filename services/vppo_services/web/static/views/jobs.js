// All jobs: filters, live rows, paging.

import {get} from "../api.js";
import {button, fill, h, icon, setText} from "../dom.js";
import {ACTIVE, FINAL, PHASES} from "../phase.js";
import {JobsFeed, uid} from "../jobs_feed.js";
import {empty, failed, loading} from "../states.js";
import {VirtualList} from "../table.js";
import {jobRow, jobsHead, owner} from "./job_row.js";
import {openSubmit} from "./submit.js";

const TYPING_MS = 250;
const AGE_MS = 30_000;
const GROUPS = {active: ACTIVE, finished: FINAL};

export class JobsView {
  constructor(root, route, {setState}) {
    Object.assign(this, {root, setState});
    document.title = "Jobs · VPPO";
    this.search = h("input", {type: "search", id: "search", placeholder: "Search by name", autocomplete: "off", spellcheck: "false", oninput: () => this.typed()});
    this.phase = h("select", {id: "phase", onchange: () => this.changed()}, options());
    this.queue = h("select", {id: "queue", onchange: () => this.changed()}, h("option", {value: ""}, "All queues"));
    this.count = h("span", {class: "muted count", role: "status"});
    this.more = button("Load more", {onclick: () => this.loadMore()});
    this.list = new VirtualList({label: "Jobs", create: jobRow, key: uid, onNearEnd: () => this.loadMore(), onOpen: (job) => this.open(job)});
    this.list.element.prepend(jobsHead());
    this.content = h("div", {class: "jobs-content"});
    this.root.className = "view-jobs";
    fill(this.root, this.toolbar(), this.content, h("div", {class: "jobs-foot"}, this.count, this.more));
    this.ages = setInterval(() => this.list.draw(), AGE_MS);
    this.navigate(route);
    this.loadQueues();
  }

  toolbar() {
    return h(
      "div",
      {class: "toolbar", role: "search"},
      h("h1", {}, "Jobs"),
      h("label", {class: "search"}, icon("eye"), h("span", {class: "sr"}, "Search jobs by name"), this.search),
      h("label", {}, h("span", {class: "sr"}, "Phase"), this.phase),
      h("label", {}, h("span", {class: "sr"}, "Queue"), this.queue),
    );
  }

  // Filters stand in the address: a link to them can be kept.
  navigate({query}) {
    this.search.value = query.get("name") ?? "";
    this.phase.value = query.get("phase") ?? "";
    this.wantQueue(query.get("queue") ?? "");
    this.restart();
  }

  wantQueue(name) {
    if (name && ![...this.queue.options].some((option) => option.value === name)) {
      this.queue.append(h("option", {value: name}, name));
    }
    this.queue.value = name;
  }

  destroy() {
    this.feed?.close();
    this.list.destroy();
    clearTimeout(this.typing);
    clearInterval(this.ages);
  }

  async loadQueues() {
    try {
      const chosen = this.queue.value;
      for (const {name} of (await get("queues")).items) {
        if (![...this.queue.options].some((option) => option.value === name)) {
          this.queue.append(h("option", {value: name}, name));
        }
      }
      this.queue.value = chosen;
    } catch {
      this.queue.title = "The queues cannot be read now.";
    }
  }

  typed() {
    clearTimeout(this.typing);
    this.typing = setTimeout(() => this.changed(), TYPING_MS);
  }

  changed() {
    const query = new URLSearchParams();
    for (const [name, field] of [["name", this.search], ["phase", this.phase], ["queue", this.queue]]) {
      if (field.value.trim()) query.set(name, field.value.trim());
    }
    history.replaceState(null, "", query.size ? `#/jobs?${query}` : "#/jobs");
    this.restart();
  }

  filters() {
    const phase = this.phase.value;
    return {name: this.search.value.trim(), queue: this.queue.value, phase: GROUPS[phase] ?? (phase ? [phase] : [])};
  }

  async restart() {
    this.feed?.close();
    const feed = new JobsFeed(this.filters(), {
      onChange: () => this.feed === feed && this.render(),
      onState: (state) => this.feed === feed && this.setState(state),
    });
    this.feed = feed;
    if (!this.list.items.length) fill(this.content, loading("Loading the jobs"));
    try {
      await feed.start();
      this.list.scroller.scrollTop = 0;
    } catch (error) {
      if (error.name !== "AbortError" && this.feed === feed) this.showError(error);
    }
  }

  showError(error) {
    this.list.setItems([]);
    fill(this.content, failed(error, () => this.restart()));
    setText(this.count, "");
    this.more.hidden = true;
  }

  render() {
    const {items, hasMore, isLoading} = this.feed;
    const wanted = items.length ? this.list.element : this.emptyState();
    if (this.content.firstChild !== wanted) fill(this.content, wanted);
    this.list.element.classList.toggle("is-ownerless", !items.some(({metadata}) => owner(metadata)));
    this.list.setItems(items);
    const jobs = items.length === 1 ? "1 job" : `${items.length.toLocaleString("en-US")} jobs`;
    setText(this.count, hasMore ? `${jobs} loaded, there are more` : jobs);
    this.more.hidden = !hasMore;
    this.more.disabled = isLoading;
  }

  emptyState() {
    const {name, queue, phase} = this.filters();
    if (name || queue || phase.length) {
      return empty("No job matches", "Change the filters, or show all jobs.", h("a", {class: "button", href: "#/jobs"}, "Show all jobs"));
    }
    return empty(
      "No jobs yet",
      "Submit a job file here, with `vppo submit -f job.yaml`, or with POST /jobs.",
      button("New job", {icon: "plus", kind: "primary", onclick: () => openSubmit()}),
    );
  }

  async loadMore() {
    if (!this.feed?.isLoaded || this.feed.isLoading || !this.feed.hasMore) return;
    try {
      const wait = this.feed.more();
      this.more.disabled = true;
      await wait;
    } catch (error) {
      if (error.name !== "AbortError") this.setState("waiting", error);
    }
  }

  open(job) {
    location.hash = `#/jobs/${encodeURIComponent(job.metadata.name)}?uid=${job.metadata.uid}`;
  }

  onKey(event) {
    if (event.key === "/") {
      this.search.focus();
      this.search.select();
      return true;
    }
    return this.list.onKey(event);
  }

  // Enter or an arrow in the search goes to the rows.
  onFieldKey(event) {
    if (event.target === this.search && (event.key === "Enter" || event.key === "ArrowDown")) {
      this.list.focus(0);
      return true;
    }
    return false;
  }
}

function options() {
  return [
    h("option", {value: ""}, "All phases"),
    h("option", {value: "active"}, "Active"),
    h("option", {value: "finished"}, "Finished"),
    h("optgroup", {label: "One phase"}, PHASES.map((phase) => h("option", {value: phase}, phase))),
  ];
}

