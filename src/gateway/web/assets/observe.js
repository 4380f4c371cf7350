// How the house is: its tree, providers, channels, what waits, and what happens over time.

import { get, text } from "./api.js";
import { ago, dollars, el, find, number, shown, template } from "./dom.js";
import { millis, parse, quantile, seconds, sum } from "./metrics.js";
import { plot } from "./plot.js";

const LOOK_AGAIN = 2_000;
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

const ended = ({ finished, failed, cancelled }) => finished + failed + cancelled;
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
    Object.assign(this, { main, house });
    this.look();
    this.timer = setInterval(() => !document.hidden && this.look(), LOOK_AGAIN);
  }

  async look() {
    if (this.looking) return;
    this.looking = true;
    try {
      const [tree, lately, channels, metrics] = await Promise.all([
        get("/api/v1/tree"), get("/api/v1/observe"), get("/api/v1/channels"), text("/metrics"),
      ]);
      if (!this.closed) this.draw(tree, lately, channels.items, parse(metrics));
      this.say("");
    } catch (error) {
      this.say(error.message);
    }
    this.looking = false;
  }

  say(sentence) {
    if (!this.closed) find(".bar .state", this.main).textContent = sentence;
  }

  draw(tree, { turns, queues, providers, outbox, days }, channels, metrics) {
    // What is counted by the minute is counted in memory, and begins with the process.
    const young = tree.for_ms < 3_600_000;
    const open = outbox.filter(({ state }) => state === "pending" || state === "sending").reduce((sum, { items }) => sum + items, 0);
    find(".figures", this.main).replaceChildren(
      figure("Under way", number(turns.running)),
      figure("Waiting in mailboxes", number(queues.mailboxes)),
      figure("Waiting for a model", number(queues.calls)),
      figure("Waiting to go out", number(open)),
      figure(young ? "Turns since the start" : "Turns, last hour", number(turns.minutes.reduce((sum, minute) => sum + ended(minute), 0))),
      figure("Cost today", dollars(days.at(-1).cost_usd)),
      figure("Commit, 95 of 100", seconds(quantile(metrics, "mosaic_commit_seconds", 0.95))),
      figure("Memory", `${Math.round(sum(metrics, "process_resident_memory_bytes") / 1_048_576)} MB`),
      figure("Up for", since(tree.for_ms)),
    );
    const clock = (at) => new Date(at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
    find(".plots", this.main).replaceChildren(
      plot("Turns per minute", turns.minutes.map((minute) => ({ label: clock(minute.at), value: ended(minute) })), number),
      plot("Cost per day", days.map(({ day, cost_usd: cost }) => ({ label: day.slice(5), value: cost ?? 0 })), dollars),
    );
    find(".providers", this.main).replaceChildren(this.providers(providers, young));
    find(".channels", this.main).replaceChildren(this.channels(channels));
    find(".outbox", this.main).replaceChildren(this.outbox(outbox));
    find(".tree", this.main).replaceChildren(el("section", { class: "panel" }, el("h2", {}, "Supervision tree"), el("ul", { class: "branches" }, branch(tree))));
  }

  providers(providers, young) {
    const words = { unknown: "not called yet", answers: "answers", down: "down" };
    const rows = providers.map((one) => {
      const odd = one.health === "fails" || one.health === "down";
      const health = words[one.health] ?? `failed: ${one.code}`;
      const times = (two) => (two ? [millis(two.p50_ms), millis(two.p95_ms)] : ["–", "–"]);
      return el("tr", {}, el("th", { scope: "row" }, shown(one.name)), cell(health, { class: odd ? "odd" : null }), cell(one.last_call ? ago(one.last_call) : "–"),
        ...times(one.first_token).map((time) => cell(time)), ...times(one.whole).map((time) => cell(time)),
        cell(`${number(one.failed)} of ${number(one.calls)}`, { class: one.failed > 0 ? "odd" : null }), cell(`${number(one.in_flight)} of ${number(one.max_in_flight)}`), cell(number(one.waiting)));
    });
    return table(young ? "Providers, since the start" : "Providers, in the last hour", ["Name", "Health", "Last call", "First word, half", "95 of 100", "Answer, half", "95 of 100", "Failed", "Under way", "Waiting"], rows,
      "No provider is set up. The page of a new chat takes a key; `mosaic providers add` does too.");
  }

  channels(channels) {
    const rows = channels.map(({ name, kind, agent, state }) => el("tr", {}, el("th", { scope: "row" }, shown(name)), cell(kind), cell(shown(agent)), cell(dot(state))));
    return table("Channels", ["Name", "Kind", "Agent", "Actor"], rows, "No channel is configured: people reach the agents here, in the terminal and over the API.");
  }

  /// Answers on their way to platforms; browsers and terminals read along and need none.
  outbox(kept) {
    const channels = [...new Set(kept.map(({ channel }) => channel))].sort();
    const rows = channels.map((channel) => {
      const of = (state) => kept.find((one) => one.channel === channel && one.state === state);
      const cells = ["pending", "sending", "unknown", "dead"].map((state) => cell(number(of(state)?.items ?? 0), { class: state === "dead" && of(state) ? "odd" : null }));
      const oldest = Math.max(of("pending")?.oldest_seconds ?? 0, of("sending")?.oldest_seconds ?? 0);
      return el("tr", {}, el("th", { scope: "row" }, shown(channel)), ...cells, cell(of("pending") || of("sending") ? since(1_000 * oldest) : "–"));
    });
    return table("Outbox", ["Channel", "Waiting", "Under way", "Unknown", "Given up", "Oldest that waits"], rows, "Nothing waits to go out.");
  }

  close() {
    this.closed = true;
    clearInterval(this.timer);
  }
}
