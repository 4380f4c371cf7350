// How a turn is shown: what was asked, what was answered, what is being said right now, and how it ended.

import { ago, dollars, el, icon, iconButton, number, shown, toast } from "./dom.js";
import { isPicture, size } from "./files.js";
import { html, htmlOf, show } from "./render.js";

// What is rendered again and again while it grows is at most about so long; what stands before it is left alone.
const TAIL = 3_000;
const LEAST_PAUSE = 60;

const BLOCKS = new Set(["P", "LI", "UL", "OL", "BLOCKQUOTE", "PRE", "CODE", "H3", "H4", "H5", "H6"]);

export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    toast("Copied.");
  } catch {
    toast("This browser lets no page copy here. Select the text and copy it by hand.");
  }
}

/// Makes what scrolls reachable by the keyboard, and code easy to take along.
function decorate(node) {
  for (const pre of node.querySelectorAll("pre")) {
    pre.tabIndex = 0;
    const box = el("div", { class: "code" });
    pre.replaceWith(box);
    box.append(pre, iconButton("copy", "Copy the code", () => copy(pre.textContent)));
  }
  for (const table of node.querySelectorAll("table")) {
    const box = el("div", { class: "wide", tabindex: "0", role: "region", "aria-label": "Table" });
    table.replaceWith(box);
    box.append(table);
  }
}

/// The end of what may be rendered for good: a blank line outside of code, not too near to the end. 0: there is none.
function standing(text) {
  let end = 0;
  let at = 0;
  let fence = false;
  for (const line of text.split("\n")) {
    if (/^ {0,3}(```|~~~)/.test(line)) fence = !fence;
    at += line.length + 1;
    if (!fence && line.trim() === "" && at < text.length - 400) end = at;
  }
  return end;
}

/// A text in Markdown, at rest or still growing.
class Body {
  constructor() {
    this.node = el("div", { class: "md", dir: "auto" });
    this.text = "";
    this.final = false;
  }

  /// It stands from now on.
  async set(text) {
    if (this.final && this.text === text) return;
    // What is no beginning of it was cut off, and must not stand there until this is rendered.
    if (!this.node.firstChild || !text.startsWith(this.text)) this.node.replaceChildren(el("p", { class: "plain" }, shown(text)));
    Object.assign(this, { text, final: true });
    const clean = await html(text);
    if (this.text !== text) return;
    if (clean === null) this.node.replaceChildren(el("p", { class: "plain" }, shown(text)));
    else show(this.node, clean);
    decorate(this.node);
  }

  /// It says so much by now. New words are there at once, as they stand; their looks follow.
  grow(text) {
    if (this.final || text === this.text) return;
    if (!text.startsWith(this.text)) this.restart();
    this.text = text;
    this.tail ??= this.node.appendChild(el("div"));
    this.plain();
    if (!this.working) this.work();
  }

  restart() {
    this.node.replaceChildren();
    Object.assign(this, { text: "", tail: null, stands: 0, rendered: 0 });
  }

  plain() {
    const rest = shown(this.text.slice(this.rendered ?? 0));
    if (!this.rest?.isConnected) {
      let end = this.tail;
      while (end.lastElementChild && BLOCKS.has(end.lastElementChild.tagName)) end = end.lastElementChild;
      this.rest = document.createTextNode("");
      end.append(this.rest);
    }
    this.rest.data = rest;
  }

  async work() {
    this.working = true;
    while (!this.final && (this.rendered ?? 0) < this.text.length) {
      const begun = performance.now();
      const from = this.stands ?? 0;
      const { tail } = this;
      const growing = this.text.slice(from);
      const stands = growing.length > TAIL ? standing(growing) : 0;
      const part = stands > 0 ? growing.slice(0, stands) : growing;
      const clean = await htmlOf(part);
      if (this.final || this.tail !== tail) break;
      if (clean === null) {
        await new Promise((resolve) => setTimeout(resolve, 1_000));
        continue;
      }
      show(tail, clean);
      this.rest = null;
      this.rendered = from + part.length;
      if (stands > 0) {
        this.stands = this.rendered;
        this.tail = this.node.appendChild(el("div"));
      }
      this.plain();
      const pause = Math.max(LEAST_PAUSE, 2 * (performance.now() - begun));
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
    this.working = false;
  }
}

function said(role, who, at) {
  const time = at && el("time", { datetime: at, title: new Date(at).toLocaleString() }, ago(at));
  return el("header", {}, el("h2", { class: role === "user" ? "hidden" : "" }, who), time);
}

/// What is told of a turn that was cancelled.
export const stopped = ({ text }) => (text === undefined ? "Cancelled." : "Stopped.");

/// One message of a person.
class Asked {
  constructor(entry, actions) {
    this.text = el("div", { class: "plain", dir: "auto" }, shown(entry.text));
    this.tag = el("span", { class: "tag", hidden: true });
    this.tools = el("div", { class: "acts" }, this.tag, ...actions);
    this.files = el("ul", { class: "files", "aria-label": "Attached files" });
    this.node = el("article", { class: "said user" }, said("user", "You", null), this.files, this.text, this.tools);
    this.files.hidden = true;
    this.showFiles(entry.files);
  }

  showFiles(files = []) {
    // They never change; drawn anew they would be fetched anew.
    const looks = files.map((file) => file.id).join();
    if (looks === this.filesLook) return;
    this.filesLook = looks;
    this.files.hidden = files.length === 0;
    const open = (file, ...children) => el("a", { href: file.url, target: "_blank", rel: "noopener", "aria-label": `Open ${shown(file.name)}` }, ...children);
    const picture = (file) => el("li", { class: "picture" }, open(file, el("img", { src: file.url, alt: "", loading: "lazy" })));
    const text = (file) => el("li", {}, open(file, shown(file.name)), el("span", { class: "size" }, size(file.size_bytes)));
    this.files.replaceChildren(...files.map((file) => (isPicture(file) ? picture(file) : text(file))));
  }

  mark(text) {
    this.tag.hidden = !text;
    this.tag.textContent = text ?? "";
  }
}

/// One message of an agent, at rest or under way.
class Answered {
  constructor(agent) {
    this.body = new Body();
    this.head = said("assistant", agent || "Mosaic", null);
    this.thinking = el("details", { class: "thinking", hidden: true }, el("summary", {}, "Thinking"), el("div", { class: "plain", dir: "auto" }));
    this.steps = el("ol", { class: "steps", "aria-label": "Steps" });
    this.steps.hidden = true;
    this.dots = el("p", { class: "dots", hidden: true }, el("span", { class: "hidden" }, "Working"), el("i"), el("i"), el("i"));
    this.meta = el("footer", { class: "meta" });
    this.node = el("article", { class: "said assistant" }, this.head, this.thinking, this.steps, this.body.node, this.dots, this.meta);
  }

  name(agent) {
    if (agent) this.head.firstChild.textContent = agent;
  }

  live({ text, thinking, steps }) {
    this.node.classList.add("live");
    this.think(thinking);
    this.step(steps, true);
    if (text) this.body.grow(text);
    else if (this.body.text) this.body.restart();
    this.dots.hidden = text !== "";
  }

  think(text) {
    this.thinking.hidden = !text;
    if (text) this.thinking.lastChild.textContent = shown(text);
  }

  step(steps, live) {
    const told = steps.filter((step) => step.kind !== "model" || steps.length > 1 || live);
    this.steps.hidden = told.length === 0;
    const words = { works: "works", cut: "was cut off", done: "done", failed: "failed" };
    const card = ({ kind, name, ok, told: part, asked, said }) => {
      const state = ok === null ? (live ? "works" : "cut") : ok ? "done" : "failed";
      const more = part && [el("span", {}, `${(part.ms / 1_000).toFixed(1)} s`), el("span", {}, dollars(part.cost_usd))];
      const parts = [el("span", { class: "kind" }, kind), el("span", { dir: "auto" }, shown(name)), ...(more ?? []), el("span", { class: "hidden" }, `: ${words[state]}`)];
      // What a tool was asked, and what it said.
      if (asked && asked !== "{}") parts.splice(2, 0, el("code", { dir: "auto" }, shown(asked)));
      if (said) return el("li", { class: state }, el("details", {}, el("summary", {}, ...parts), el("div", { class: "plain", dir: "auto" }, shown(said))));
      // What one of several models said by itself.
      if (!part?.text) return el("li", { class: state }, ...parts);
      return el("li", { class: state }, el("details", {}, el("summary", {}, ...parts), el("div", { class: "plain", dir: "auto" }, shown(part.text))));
    };
    const open = [...this.steps.querySelectorAll("details")].map((one) => one.open);
    const looks = JSON.stringify([told, live]);
    if (looks === this.stepsLook) return;
    this.stepsLook = looks;
    this.steps.replaceChildren(...told.map(card));
    [...this.steps.querySelectorAll("details")].forEach((one, at) => (one.open = open[at] ?? false));
  }

  rest(entry) {
    this.node.classList.remove("live");
    this.dots.hidden = true;
    this.name(entry.agent);
    this.body.set(entry.text);
  }

  /// How the turn ended, where this is its last word.
  close(turn, actions) {
    const { end, live } = turn;
    this.step(live.steps, false);
    this.think(live.thinking);
    if (!end) return;
    const words = [];
    if (end.kind === "finished") {
      words.push(el("span", { class: "model", title: end.route_reason }, shown(`${end.provider}/${end.model}`)));
      // That another model had to answer is a line of its own.
      words.push(el("span", { class: /; \S+ answered$/.test(end.route_reason) ? "why fell" : "why" }, shown(end.route_reason)));
      const { input_tokens: input, output_tokens: output } = end.usage;
      words.push(el("span", { title: "tokens in and out" }, `${number(input)} → ${number(output)} tokens`));
      words.push(el("span", {}, dollars(end.cost_usd)));
      if (end.stop_reason !== "stop") words.push(el("span", {}, `stopped: ${end.stop_reason}`));
    }
    this.meta.replaceChildren(...words, el("span", { class: "acts" }, ...actions));
  }
}

/// A turn of a session.
export class TurnView {
  /// `actions` makes the buttons of a message: `actions.asked(turn, entry)`, `actions.answered(turn, entry)`,
  /// `actions.cut(turn, entry)` of an answer that is not whole, `actions.ended(end)`.
  constructor(actions) {
    Object.assign(this, { actions, entries: new Map(), now: null });
    this.node = el("section", { class: "turn" });
    this.end = el("p", { class: "end", hidden: true });
  }

  update(turn) {
    this.node.classList.toggle("runs", turn.state === "running");
    const entries = [...turn.entries.values()].sort((a, b) => a.seq - b.seq);
    for (const entry of entries) {
      const view = this.entries.get(entry.seq) ?? this.make(turn, entry);
      if (entry.role === "user") {
        view.mark(turn.state === "queued" ? "waits" : null);
        view.showFiles(entry.files);
      }
      else view.rest(entry);
    }
    this.showNow(turn);
    const nodes = entries.map((entry) => this.entries.get(entry.seq).node);
    if (this.now) nodes.push(this.now.node);
    nodes.push(this.end);
    nodes.forEach((node, at) => this.node.children[at] !== node && this.node.insertBefore(node, this.node.children[at] ?? null));
    const last = entries.at(-1);
    if (turn.end && last?.seq === turn.end.seq) {
      const actions = turn.end.kind === "finished" ? this.actions.answered : this.actions.cut;
      this.entries.get(last.seq).close(turn, actions(turn, last));
    }
    this.showEnd(turn);
  }

  make(turn, entry) {
    let view;
    if (entry.role === "user") view = new Asked(entry, this.actions.asked(turn, entry));
    else if (this.now) {
      // What was being said is what stands now.
      view = this.now;
      this.now = null;
    } else view = new Answered(entry.agent);
    this.entries.set(entry.seq, view);
    return view;
  }

  showNow(turn) {
    const { live, state, agent } = turn;
    if (state === "running") {
      this.now ??= new Answered(agent);
      this.now.name(agent);
      this.now.live(live);
    } else if (this.now) {
      // It ended before it said anything.
      this.now.node.remove();
      this.now = null;
    }
  }

  showEnd({ end }) {
    const told = end && end.kind !== "finished";
    this.end.hidden = !told;
    if (!told) return;
    const text = end.kind === "cancelled" ? stopped(end) : shown(end.message);
    this.end.className = `end ${end.kind}`;
    this.end.replaceChildren(icon(end.kind === "cancelled" ? "stop" : "close"), el("span", {}, text), ...this.actions.ended(end));
  }
}
