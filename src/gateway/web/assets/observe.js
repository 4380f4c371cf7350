// How the house is: its tree, providers, channels, what waits, and what happens over time.

import { get, text } from "./api.js";
import { ago, dollars, el, find, number, shown, template } from "./dom.js";
import { parse, quantile, seconds, sum } from "./metrics.js";
import { plot } from "./plot.js";

const LOOK_AGAIN = 2_000;
const DAYS = 14;
// Children that are up beyond these are only counted: a house may have thousands of sessions.
const SHOWN = 12;

const since = (ms) => {
  const [day, hour, minute] = [86_400_000, 3_600_000, 60_000];
  if (ms >= day) return `${Math.floor(ms / day)} d ${Math.floor((ms % day) / hour)} h`;
  if (ms >= hour) return `${Math.floor(ms / hour)} h ${Math.floor((ms % hour) / minute)} min`;
  return ms >= minute ? `${Math.floor(ms / minute)} min` : `${Math.floor(ms / 1_000)} s`;
};

const figure = (name, value, more) => el("div", { class: "figure" }, el("dt", {}, name), el("dd", {}, value, more ? el("small", {}, more) : null));

const table = (caption, heads, rows, none) =>
  el("section", { class: "panel" }, el("h2", {}, caption),
    rows.length === 0 ? el("p", { class: "none" }, none)
      : el("div", { class: "wide", tabindex: "0", role: "region", "aria-label": caption },
        el("table", {}, el("thead", {}, el("tr", {}, ...heads.map((head) => el("th", { scope: "col" }, head)))), el("tbody", {}, ...rows))));

const cell = (value, props) => el("td", props, value);
const dot = (state) => el("span", { class: `dot ${state}` }, state);

function depth(view) {
  return view.depth + (view.children ?? []).reduce((sum, child) => sum + depth(child), 0);
}

function branch(view) {
  const told = [dot(view.state), el("strong", { dir: "auto" }, shown(view.name))];
  if (view.children) told.push(el("span", {}, `${view.children.length} ${view.children.length === 1 ? "child" : "children"}`));
  if (view.restarts > 0) told.push(el("span", { class: "odd" }, `${view.restarts} restart${view.restarts === 1 ? "" : "s"} in the last minute`));
  else if (view.incarnation > 1) told.push(el("span", {}, `life ${view.incarnation}`));
  if (view.depth > 0) told.push(el("span", {}, `${view.depth} waiting${view.oldest_ms > 0 ? `, the oldest for ${view.oldest_ms} ms` : ""}`));
  if (view.last_error) told.push(el("span", { class: "odd", dir: "auto" }, shown(view.last_error)));
  told.push(el("span", { class: "for" }, since(view.for_ms)));
  const item = el("li", {}, el("div", { class: "node" }, ...told));
  if (view.children?.length > 0) {
    const odd = (child) => child.state !== "up" || child.depth > 0 || child.restarts > 0;
    const first = [...view.children.filter(odd), ...view.children.filter((child) => !odd(child))].slice(0, Math.max(SHOWN, view.children.filter(odd).length));
    const kept = view.children.length <= SHOWN ? view.children : first.slice(0, 100);
    const rest = view.children.length - kept.length;
    item.append(el("ul", {}, ...kept.map(branch), rest > 0 ? el("li", { class: "none" }, `and ${number(rest)} more`) : null));
  }
  return item;
}

export class Observe {
  constructor(main, house) {
    main.replaceChildren(template("t-observe"));
    document.title = "Observe · Mosaic";
    Object.assign(this, { main, house, samples: [] });
    this.look();
    this.timer = setInterval(() => !document.hidden && this.look(), LOOK_AGAIN);
  }

  async look() {
    if (this.looking) return;
    this.looking = true;
    try {
      const days = new Date(Date.now() - (DAYS - 1) * 86_400_000).toISOString().slice(0, 10);
      const [tree, providers, channels, usage, metrics] = await Promise.all([
        get("/api/v1/tree"), get("/api/v1/providers"), get("/api/v1/channels"), get(`/api/v1/usage?by=day&since=${days}&limit=${DAYS + 1}`), text("/metrics"),
      ]);
      if (!this.closed) this.draw(tree, providers.items, channels.items, usage.items, parse(metrics));
      this.say("");
    } catch (error) {
      this.say(error.message);
    }
    this.looking = false;
  }

  say(sentence) {
    if (!this.closed) find(".bar .state", this.main).textContent = sentence;
  }

  draw(tree, providers, channels, days, metrics) {
    this.sample(sum(metrics, "mosaic_turns_total"));
    const today = days.find((day) => day.key === new Date().toISOString().slice(0, 10));
    find(".figures", this.main).replaceChildren(
      figure("Under way", number(sum(metrics, "mosaic_work_running"))),
      figure("Waiting in mailboxes", number(depth(tree))),
      figure("Turns today", number(today?.turns ?? 0)),
      figure("Cost today", dollars(today ? today.cost_usd : 0)),
      figure("Commit, 95 of 100", seconds(quantile(metrics, "mosaic_commit_seconds", 0.95))),
      figure("Memory", `${Math.round(sum(metrics, "process_resident_memory_bytes") / 1_048_576)} MB`),
      figure("Up for", since(tree.for_ms)),
    );
    find(".plots", this.main).replaceChildren(this.turns(), this.costs(days));
    find(".providers", this.main).replaceChildren(this.providers(providers, metrics));
    find(".channels", this.main).replaceChildren(this.channels(channels));
    find(".outbox", this.main).replaceChildren(this.outbox(metrics));
    find(".tree", this.main).replaceChildren(el("section", { class: "panel" }, el("h2", {}, "Supervision tree"), el("ul", { class: "branches" }, branch(tree))));
  }

  sample(turns) {
    this.samples.push({ at: Date.now(), turns });
    while (this.samples[0].at < Date.now() - 3_600_000) this.samples.shift();
  }

  /// Counted while this page is open; a daemon that was started anew counts from 0.
  turns() {
    const minutes = new Map();
    this.samples.forEach(({ at, turns }, index) => {
      const before = this.samples[index - 1]?.turns ?? turns;
      const minute = Math.floor(at / 60_000);
      minutes.set(minute, (minutes.get(minute) ?? 0) + Math.max(0, turns < before ? turns : turns - before));
    });
    const now = Math.floor(Date.now() / 60_000);
    const bars = Array.from({ length: 30 }, (_, at) => now - 29 + at).map((minute) => ({
      label: new Date(minute * 60_000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hourCycle: "h23" }), value: minutes.get(minute) ?? 0,
    }));
    return plot("Turns per minute", bars, number);
  }

  costs(days) {
    const bars = Array.from({ length: DAYS }, (_, at) => new Date(Date.now() - (DAYS - 1 - at) * 86_400_000).toISOString().slice(0, 10)).map((key) => ({
      label: key.slice(5), value: days.find((day) => day.key === key)?.cost_usd ?? 0,
    }));
    return plot("Cost per day", bars, dollars);
  }

  providers(providers, metrics) {
    const rows = providers.map(({ name, state, last_call: last, max_in_flight: most }) => {
      const wish = { provider: name };
      const health = !last ? "not called yet" : last.ok ? "answers" : `failed: ${last.code}`;
      return el("tr", {}, el("th", { scope: "row" }, shown(name)), cell(dot(state)), cell(health, { class: last && !last.ok ? "odd" : null }), cell(last ? ago(last.at) : "–"),
        cell(seconds(quantile(metrics, "mosaic_model_first_token_seconds", 0.5, wish))), cell(seconds(quantile(metrics, "mosaic_model_first_token_seconds", 0.95, wish))),
        cell(`${sum(metrics, "mosaic_provider_calls_in_flight", wish)} of ${most}`), cell(number(sum(metrics, "mosaic_provider_calls_waiting", wish))));
    });
    return table("Providers", ["Name", "Actor", "Health", "Last call", "First word, half", "95 of 100", "Under way", "Waiting"], rows,
      "No provider is set up. The page of a new chat takes a key; `mosaic providers add` does too.");
  }

  channels(channels) {
    const rows = channels.map(({ name, kind, agent, state }) => el("tr", {}, el("th", { scope: "row" }, shown(name)), cell(kind), cell(shown(agent)), cell(dot(state))));
    return table("Channels", ["Name", "Kind", "Agent", "Actor"], rows, "No channel is configured: people reach the agents here, in the terminal and over the API.");
  }

  /// Answers on their way to platforms; browsers and terminals read along and need none.
  outbox(metrics) {
    const items = (metrics.get("mosaic_outbox_items") ?? []).filter(({ value }) => value > 0);
    const channels = [...new Set(items.map(({ labels }) => labels.channel))].sort();
    const rows = channels.map((channel) => {
      const count = (state) => sum(metrics, "mosaic_outbox_items", { channel, state });
      const cells = ["pending", "sending", "unknown", "dead"].map((state) => cell(number(count(state)), { class: state === "dead" && count(state) > 0 ? "odd" : null }));
      return el("tr", {}, el("th", { scope: "row" }, shown(channel)), ...cells, cell(since(1_000 * sum(metrics, "mosaic_outbox_oldest_seconds", { channel }))));
    });
    return table("Outbox", ["Channel", "Waiting", "Under way", "Unknown", "Given up", "Oldest"], rows, "Nothing waits to go out.");
  }

  close() {
    this.closed = true;
    clearInterval(this.timer);
  }
}
