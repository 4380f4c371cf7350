// Small helpers to make and find elements. Text goes in as text, always.

export const find = (selector, root = document) => root.querySelector(selector);

const SVG = "http://www.w3.org/2000/svg";

function fill(node, props, children) {
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

/// An element with attributes, listeners (`onclick`) and children.
export const el = (tag, props, ...children) => fill(document.createElement(tag), props, children);

/// The same of SVG.
export const svg = (tag, props, ...children) => fill(document.createElementNS(SVG, tag), props, children);

export const icon = (name) => svg("svg", { "aria-hidden": "true" }, svg("use", { href: `#i-${name}` }));

/// A button that shows an icon and says what it does.
export const iconButton = (name, label, onclick) =>
  el("button", { type: "button", class: "icon", "aria-label": label, title: label, onclick }, icon(name));

/// A copy of a template of the page.
export const template = (id) => find(`#${id}`).content.cloneNode(true);

/// The text with what steers or turns made visible, as the daemon does it in what it renders.
export function shown(text) {
  return text.replace(/[\u0000-\u0008\u000b-\u001f]/g, (char) => (char === "\r" ? "" : String.fromCharCode(0x2400 + char.charCodeAt(0))))
    .replace(/\u007f/g, "\u2421")
    .replace(/[\u0080-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]|\udb40[\udc00-\udc7f]/g,
      (char) => `[U+${char.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}]`);
}

/// Tells those who listen instead of looking.
export function announce(text) {
  find("#announce").textContent = text;
}

/// A sentence in the corner that goes by itself.
export function toast(text) {
  const node = el("div", { class: "toast" }, el("span", {}, text), iconButton("close", "Close", () => node.remove()));
  find("#toasts").append(node);
  setTimeout(() => node.remove(), 10_000);
}

const DAY = 86_400_000;

/// When it was, in few words.
export function ago(when) {
  const at = new Date(when);
  const old = Date.now() - at;
  if (old < DAY && at.getDate() === new Date().getDate()) return at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  if (old < 7 * DAY) return at.toLocaleDateString([], { weekday: "short" });
  return at.toLocaleDateString([], { year: "numeric", month: "short", day: "numeric" });
}

export const number = (value) => value.toLocaleString("en");

/// US dollars; what costs less than a cent is told all the same.
export function dollars(value) {
  if (value === null || value === undefined) return "no price";
  if (value === 0) return "$0";
  return value < 0.01 ? `$${Number(value.toPrecision(2))}` : `$${value.toFixed(2)}`;
}

export const reducedMotion = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

/// An id that nobody else draws.
export function draw() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
