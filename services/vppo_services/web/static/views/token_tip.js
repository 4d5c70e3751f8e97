// Shows the value of the token under the pointer or the focus.

import {h, setText} from "../dom.js";
import {number} from "../format.js";

const GAP = 6;

export class TokenTip {
  constructor(container) {
    this.container = container;
    this.element = h("div", {class: "token-tip", role: "tooltip", hidden: true});
    container.addEventListener("pointerover", (event) => this.show(event.target.closest(".tokens .token")));
    container.addEventListener("pointerleave", () => this.hide());
    container.addEventListener("focusin", (event) => this.show(event.target.closest(".tokens .token")));
    container.addEventListener("focusout", () => this.hide());
    this.onScroll = () => this.hide();
    addEventListener("scroll", this.onScroll, {passive: true, capture: true});
  }

  destroy() {
    removeEventListener("scroll", this.onScroll, {capture: true});
  }

  show(token) {
    if (!token) {
      this.hide();
      return;
    }
    const {nats, state, index} = token.dataset;
    const count = token.parentElement.childElementCount;
    setText(this.element, `${number(Number(nats), 4)} nats · ${state === "kept" ? "trained" : "left out"} · token ${Number(index) + 1} of ${count}`);
    this.element.hidden = false;
    const box = token.getClientRects()[0];
    const tip = this.element.getBoundingClientRect();
    const left = Math.min(Math.max(GAP, box.left), innerWidth - tip.width - GAP);
    const top = box.top - tip.height - GAP;
    this.element.style.left = `${left}px`;
    this.element.style.top = `${top < GAP ? box.bottom + GAP : top}px`;
  }

  hide() {
    this.element.hidden = true;
  }
}

// Arrow keys inside an answer walk over its tokens. Gives true when the focus was on one.
export function walkTokens(event) {
  const token = document.activeElement?.closest(".tokens .token");
  if (!token) return false;
  const next = {ArrowRight: token.nextElementSibling, ArrowLeft: token.previousElementSibling,
    Home: token.parentElement.firstElementChild, End: token.parentElement.lastElementChild};
  if (!(event.key in next)) return false;
  const target = next[event.key];
  if (target) {
    token.tabIndex = -1;
    target.tabIndex = 0;
    target.focus();
  }
  return true;
}
