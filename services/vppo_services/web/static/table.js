// A list of equal rows of which only those in sight exist; 10,000 rows cost as much as 30.

import {h} from "./dom.js";

const EXTRA_ROWS = 8; // above and below what is in sight
const NEAR_END_ROWS = 40;

export class VirtualList {
  // create(item) gives {element, update(item)}; key(item) names it; onNearEnd asks for more;
  // onOpen(item) when a row is chosen.
  constructor({label, create, key, onNearEnd, onOpen}) {
    Object.assign(this, {create, key, onNearEnd, onOpen});
    this.items = [];
    this.rows = new Map();
    this.active = 0;
    this.body = h("div", {class: "list-body", role: "rowgroup"});
    this.scroller = h("div", {class: "list-scroller"}, this.body);
    this.element = h("div", {class: "list", role: "grid", "aria-label": label}, this.scroller);
    this.scroller.addEventListener("scroll", () => this.schedule(), {passive: true});
    this.sizes = new ResizeObserver(() => this.measure());
    this.sizes.observe(this.scroller);
    this.sizes.observe(this.body);
    this.body.addEventListener("click", (event) => this.clicked(event));
    this.body.addEventListener("focusin", (event) => this.focused(event));
  }

  destroy() {
    this.sizes.disconnect();
    cancelAnimationFrame(this.frame);
  }

  // A row above the first in sight may have come: the same row stays under the eye.
  setItems(items) {
    const current = this.items[this.active] && this.key(this.items[this.active]);
    const first = Math.floor(this.scroller.scrollTop / (this.height || 1));
    const anchor = this.scroller.scrollTop > 0 && this.items[first] ? this.key(this.items[first]) : null;
    this.items = items;
    const kept = items.findIndex((item) => this.key(item) === current);
    this.active = Math.max(0, kept);
    this.element.setAttribute("aria-rowcount", String(items.length));
    this.body.style.height = `${items.length * (this.height || 0)}px`;
    if (anchor) {
      const moved = items.findIndex((item) => this.key(item) === anchor);
      if (moved >= 0 && moved !== first) this.scroller.scrollTop += (moved - first) * this.height;
    }
    this.draw();
  }

  measure() {
    this.height = Number.parseFloat(getComputedStyle(this.element).getPropertyValue("--row-height"));
    this.body.style.height = `${this.items.length * this.height}px`;
    // The head has no scroll bar; it leaves the same room.
    this.element.style.setProperty("--scroll-bar", `${this.scroller.offsetWidth - this.scroller.clientWidth}px`);
    this.draw();
  }

  schedule() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = null;
      this.draw();
    });
  }

  draw() {
    if (!this.height) return;
    const {scrollTop, clientHeight} = this.scroller;
    const start = Math.max(0, Math.floor(scrollTop / this.height) - EXTRA_ROWS);
    const end = Math.min(this.items.length, Math.ceil((scrollTop + clientHeight) / this.height) + EXTRA_ROWS);
    const seen = new Set();
    for (let index = start; index < end; index += 1) seen.add(this.place(index));
    for (const [key, row] of this.rows) {
      if (seen.has(key) || row.element.contains(document.activeElement)) continue;
      row.element.remove();
      this.rows.delete(key);
    }
    if (end > this.items.length - NEAR_END_ROWS) this.onNearEnd();
  }

  place(index) {
    const item = this.items[index];
    const key = this.key(item);
    let row = this.rows.get(key);
    if (!row) {
      row = this.create(item);
      this.rows.set(key, row);
      this.body.append(row.element);
    }
    row.update(item);
    row.element.dataset.index = String(index);
    row.element.setAttribute("aria-rowindex", String(index + 1));
    row.element.tabIndex = index === this.active ? 0 : -1;
    row.element.style.transform = `translateY(${index * this.height}px)`;
    return key;
  }

  // Moves the focus to a row, and the row into sight.
  focus(index) {
    if (!this.items.length) return;
    this.active = Math.min(Math.max(index, 0), this.items.length - 1);
    const top = this.active * this.height;
    const {scrollTop, clientHeight} = this.scroller;
    if (top < scrollTop) this.scroller.scrollTop = top;
    else if (top + this.height > scrollTop + clientHeight) this.scroller.scrollTop = top + this.height - clientHeight;
    this.draw();
    this.rows.get(this.key(this.items[this.active]))?.element.focus({preventScroll: true});
  }

  get hasFocus() {
    return this.body.contains(document.activeElement);
  }

  // Gives true when the key was one of the list's.
  onKey(event) {
    const page = Math.max(1, Math.floor(this.scroller.clientHeight / this.height) - 1);
    const moves = {ArrowDown: 1, j: 1, ArrowUp: -1, k: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity};
    if (event.key in moves) {
      this.focus(this.hasFocus ? this.active + moves[event.key] : this.active);
      return true;
    }
    if (event.key === "Enter" && this.hasFocus && this.items[this.active]) {
      this.onOpen(this.items[this.active]);
      return true;
    }
    return false;
  }

  clicked(event) {
    const row = event.target.closest("[data-index]");
    // A link opens as links do, in a new tab where that is asked for.
    if (row && !event.target.closest("a, button")) this.onOpen(this.items[Number(row.dataset.index)]);
  }

  focused(event) {
    const row = event.target.closest("[data-index]");
    if (row) this.active = Number(row.dataset.index);
  }
}
