// The frame of the page: which view the address means, the bar above it, keys that hold everywhere.

import {onUnauthorized} from "./api.js";
import {askForToken, showKeys} from "./dialogs.js";
import {button, fill, h, icon, iconButton} from "./dom.js";
import {nextTheme, theme} from "./theme.js";
import {JobView} from "./views/job.js";
import {JobsView} from "./views/jobs.js";
import {openSubmit} from "./views/submit.js";

const STATES = {
  live: ["Live", "good"],
  waiting: ["Reconnecting", "warn"],
  ended: ["Finished", "muted"],
  failed: ["Not connected", "bad"],
};
const THEME_ICONS = {auto: "auto", light: "sun", dark: "moon"};

const main = document.getElementById("main");
const live = h("span", {class: "live", role: "status"});
let current = null; // {key, view}

onUnauthorized(askForToken);
fill(document.getElementById("bar"), ...bar());
addEventListener("hashchange", route);
addEventListener("keydown", onKey);
route();

function bar() {
  return [
    h("a", {class: "brand", href: "#/jobs", "aria-label": "VPPO, all jobs"}, icon("eye"), h("span", {}, "VPPO")),
    h("nav", {"aria-label": "Main"}, h("a", {href: "#/jobs"}, "Jobs")),
    h("span", {class: "grow"}),
    live,
    button("New job", {icon: "plus", kind: "primary", onclick: () => openSubmit(), title: "Submit a job (n)"}),
    themeButton(),
    iconButton("Keys (?)", "keys", showKeys, {class: "icon-button wide-only"}),
  ];
}

function themeButton() {
  const label = () => `Colours: ${theme()} (t)`;
  const change = () => {
    nextTheme();
    fill(toggle, icon(THEME_ICONS[theme()]));
    toggle.title = label();
    toggle.setAttribute("aria-label", label());
  };
  const toggle = iconButton(label(), THEME_ICONS[theme()], change, {id: "theme"});
  return toggle;
}

// #/jobs?phase=Running and #/jobs/<name>/<tab>?uid=<uid>
export function parseRoute(hash) {
  const [path, query = ""] = hash.replace(/^#\/?/, "").split("?", 2);
  const [, name = "", tab = ""] = path.split("/").map(decodeURIComponent);
  return {name, tab, query: new URLSearchParams(query)};
}

function route() {
  const parsed = parseRoute(location.hash);
  const key = parsed.name ? `job ${parsed.name} ${parsed.query.get("uid") ?? ""}` : "jobs";
  if (current?.key === key) {
    current.view.navigate(parsed);
    return;
  }
  current?.view.destroy();
  setState("");
  const View = parsed.name ? JobView : JobsView;
  current = {key, view: new View(main, parsed, {setState})};
  main.focus({preventScroll: true});
  scrollTo(0, 0);
}

function setState(state, error) {
  const [text, tone] = STATES[state] ?? ["", "muted"];
  live.className = `live tone-${tone}`;
  live.title = error?.message ?? "";
  fill(live, text && h("span", {class: "dot", "aria-hidden": "true"}), text && h("span", {class: "live-text"}, text));
}

function onKey(event) {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  if (document.querySelector("dialog[open]")) return;
  const isField = event.target.closest("input, textarea, select");
  const isDone = isField ? current.view.onFieldKey?.(event) : current.view.onKey?.(event) || globalKey(event.key);
  if (isDone) event.preventDefault();
}

function globalKey(key) {
  const actions = {
    "?": showKeys,
    n: () => openSubmit(),
    t: () => document.getElementById("theme").click(),
    u: () => location.assign("#/jobs"),
    "/": () => location.assign("#/jobs"),
  };
  actions[key]?.();
  return key in actions;
}
