// Markdown becomes HTML on the daemon. What it sends back is clean; this is the one door by which it comes in.

import { post } from "./api.js";

const policy = window.trustedTypes?.createPolicy("mosaic", { createHTML: (html) => html }) ?? { createHTML: (html) => html };

/// Puts HTML that the daemon has rendered into `node`.
export function show(node, html) {
  node.innerHTML = policy.createHTML(html);
}

const TEXTS = 50;
const CHARS = 200_000;
const KEPT = 400;

const known = new Map();
let waiting = [];
let asking = false;

/// The HTML of a text; null where the daemon cannot be asked. Texts that are asked for together travel together.
export function html(text) {
  if (known.has(text)) return Promise.resolve(known.get(text));
  return new Promise((resolve) => {
    waiting.push({ text, resolve });
    if (!asking) {
      asking = true;
      queueMicrotask(work);
    }
  });
}

async function work() {
  while (waiting.length > 0) {
    let chars = 0;
    let count = 0;
    while (count < waiting.length && count < TEXTS && (count === 0 || chars + waiting[count].text.length < CHARS)) {
      chars += waiting[count].text.length;
      count += 1;
    }
    const now = waiting.splice(0, count);
    let told = null;
    try {
      told = (await post("/api/v1/render", { texts: now.map((one) => one.text) })).html;
    } catch {
      // They are shown as they stand.
    }
    now.forEach((one, at) => {
      if (told) remember(one.text, told[at]);
      one.resolve(told ? told[at] : null);
    });
  }
  asking = false;
}

function remember(text, html) {
  known.set(text, html);
  if (known.size > KEPT) known.delete(known.keys().next().value);
}

/// Renders a text that is still growing: not remembered, and not in the queue of those that stand.
export async function htmlOf(text) {
  try {
    return (await post("/api/v1/render", { texts: [text] })).html[0];
  } catch {
    return null;
  }
}
