// Elements from JavaScript. Text becomes text nodes: nothing that a job says is read as HTML.

const SVG = "http://www.w3.org/2000/svg";

// h("button", {class: "quiet", onclick: f, "aria-label": "Close"}, "text", child, null, [more])
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) set(element, name, value);
  element.append(...children.flat(2).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

function set(element, name, value) {
  if (value === undefined || value === null || value === false) return;
  if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
  else if (name === "class") element.className = value;
  else if (name === "value") element.value = value;
  else if (name === "style") Object.entries(value).forEach(([key, text]) => element.style.setProperty(key, text));
  else if (name === "data") Object.assign(element.dataset, value);
  else element.setAttribute(name, value === true ? "" : value);
}

// Changes the document only where it differs, so that focus, selection and readers stay put.
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function fill(element, ...children) {
  element.replaceChildren(...children.flat(2).filter((child) => child !== null && child !== undefined && child !== false));
}

const PATHS = {
  clock: "M8 2.5a5.5 5.5 0 1 0 0 11a5.5 5.5 0 0 0 0-11M8 5v3.2l2 1.3",
  queue: "M3 4.5h10M3 8h10M3 11.5h6",
  bolt: "M9 2 4 9h3.5L7 14l5-7H8.5z",
  play: "M5 3.2v9.6l8-4.8z",
  pause: "M5.5 3.5v9M10.5 3.5v9",
  stop: "M4 4h8v8H4z",
  retry: "M12.8 6.5A5 5 0 1 0 13 9M13 3v3.6H9.4",
  check: "M3 8.5 6.5 12 13 4.5",
  cross: "M4 4l8 8M12 4l-8 8",
  slash: "M8 2.5a5.5 5.5 0 1 0 0 11a5.5 5.5 0 0 0 0-11M4.2 11.8l7.6-7.6",
  plus: "M8 3v10M3 8h10",
  copy: "M6 6h7v7H6zM10 6V3H3v7h3",
  eye: "M1.5 8S4 3.8 8 3.8 14.5 8 14.5 8 12 12.2 8 12.2 1.5 8 1.5 8M8 6a2 2 0 1 0 0 4a2 2 0 0 0 0-4",
  sun: "M8 5.3a2.7 2.7 0 1 0 0 5.4a2.7 2.7 0 0 0 0-5.4M8 1.5v1.3M8 13.2v1.3M1.5 8h1.3M13.2 8h1.3M3.4 3.4l.9.9M11.7 11.7l.9.9M12.6 3.4l-.9.9M4.3 11.7l-.9.9",
  moon: "M13 9.6A5.5 5.5 0 0 1 6.4 3a5.5 5.5 0 1 0 6.6 6.6z",
  auto: "M8 2.2a5.8 5.8 0 1 0 0 11.6a5.8 5.8 0 0 0 0-11.6zM8 3.6a4.4 4.4 0 0 1 0 8.8z",
  keys: "M2 4.5h12v7.5H2zM4.5 7h.01M7 7h.01M9.5 7h.01M12 7h.01M5 9.7h6",
  left: "M10 3.5 5.5 8l4.5 4.5",
  right: "M6 3.5 10.5 8 6 12.5",
  pin: "M6 2.5h4l-.5 4 2 2.5h-7l2-2.5zM8 9v4.5",
  trash: "M3 4.5h10M6 4.5V3h4v1.5M4.5 4.5l.6 8.5h5.8l.6-8.5",
  file: "M4 2.5h5l3 3v8H4zM9 2.5v3h3",
  warn: "M8 2.5 14 13H2zM8 6.5v3M8 11.3h.01",
  info: "M8 2.5a5.5 5.5 0 1 0 0 11a5.5 5.5 0 0 0 0-11M8 7.3v3.4M8 5.3h.01",
  person: "M8 3a2.3 2.3 0 1 0 0 4.6A2.3 2.3 0 0 0 8 3M3.5 13c.4-2.5 2.2-3.6 4.5-3.6s4.1 1.1 4.5 3.6",
};

export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  const path = document.createElementNS(SVG, "path");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("class", `icon icon-${name}`);
  svg.setAttribute("aria-hidden", "true");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}

export function button(label, {icon: name, onclick, kind = "", title, ...rest} = {}) {
  return h("button", {type: "button", class: kind, onclick, title, ...rest}, name && icon(name), h("span", {}, label));
}

export function iconButton(label, name, onclick, props = {}) {
  return h("button", {type: "button", class: "icon-button", "aria-label": label, title: label, onclick, ...props}, icon(name));
}
