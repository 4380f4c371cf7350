// What was spent: the sums of the ledger as the daemon tells them, nothing added up twice.

import { get } from "./api.js";
import { dollars, el, find, number, shown, template } from "./dom.js";
import { plot } from "./plot.js";

const HEADS = { day: "Day", agent: "Agent", model: "Model", session: "Session" };
const SPANS = { 7: "Last 7 days", 30: "Last 30 days", 0: "All time" };

export class Usage {
  constructor(main) {
    main.replaceChildren(template("t-usage"));
    document.title = "Usage · Mosaic";
    Object.assign(this, { main, by: "day", days: 30 });
    this.span = find("select", main);
    this.span.replaceChildren(...Object.entries(SPANS).map(([days, text]) => el("option", { value: days, selected: days === "30" }, text)));
    this.span.addEventListener("change", () => {
      this.days = Number(this.span.value);
      this.look();
    });
    for (const button of main.querySelectorAll("[data-by]")) button.addEventListener("click", () => this.choose(button.dataset.by));
    this.choose("day");
  }

  choose(by) {
    this.by = by;
    for (const button of this.main.querySelectorAll("[data-by]")) button.setAttribute("aria-pressed", String(button.dataset.by === by));
    this.look();
  }

  path(by, cursor) {
    const query = new URLSearchParams({ by, limit: 200 });
    if (this.days > 0) query.set("since", new Date(Date.now() - (this.days - 1) * 86_400_000).toISOString().slice(0, 10));
    if (cursor) query.set("cursor", cursor);
    return `/api/v1/usage?${query}`;
  }

  async all(by) {
    const rows = [];
    for (let cursor = null; ; ) {
      const page = await get(this.path(by, cursor));
      rows.push(...page.items);
      cursor = page.next;
      if (!cursor) return rows;
    }
  }

  async look() {
    const asked = (this.asked = (this.asked ?? 0) + 1);
    try {
      // Days are few, and their sums are the sums of everything.
      const [days, first] = await Promise.all([this.all("day"), this.by === "day" ? null : get(this.path(this.by, null))]);
      if (asked !== this.asked || this.closed) return;
      this.draw(days, first ?? { items: days, next: null });
    } catch (error) {
      if (!this.closed) find(".bar .state", this.main).textContent = error.message;
    }
  }

  draw(days, { items, next }) {
    const total = { turns: 0, calls: 0, input_tokens: 0, output_tokens: 0, cost_usd: null, unpriced_turns: 0 };
    for (const day of days) {
      for (const key of ["turns", "calls", "input_tokens", "output_tokens", "unpriced_turns"]) total[key] += day[key];
      if (day.cost_usd !== null) total.cost_usd = (total.cost_usd ?? 0) + day.cost_usd;
    }
    this.total = total;
    const bars = [...days].reverse().slice(-60).map((day) => ({ label: day.key.slice(5), value: day.cost_usd ?? 0 }));
    find(".plots", this.main).replaceChildren(...(bars.length > 0 ? [plot("Cost per day", bars, dollars)] : []));
    this.rows = items;
    this.next = next;
    this.table();
    find(".bar .state", this.main).textContent = "";
  }

  table() {
    const rows = this.rows.map((sum) => this.row(this.key(sum.key), sum));
    const more = this.next ? el("button", { class: "quiet", onclick: () => this.more() }, "More") : null;
    const foot = el("tfoot", {}, this.row("All together", this.total));
    const heads = [HEADS[this.by], "Turns", "Calls", "Tokens in", "Tokens out", "Cost", "Without a price"];
    const table = el("table", {}, el("caption", { class: "hidden" }, `Usage by ${this.by}`), el("thead", {}, el("tr", {}, ...heads.map((head) => el("th", { scope: "col" }, head)))), el("tbody", {}, ...rows), foot);
    find(".sums", this.main).replaceChildren(
      rows.length === 0 ? el("p", { class: "none" }, "Nothing was spent in this time. Answers are counted here as soon as there are any.")
        : el("div", { class: "panel wide", tabindex: "0", role: "region", "aria-label": "Sums" }, table, more ?? ""),
    );
  }

  key(key) {
    if (key === "") return "Calls of no session";
    return this.by === "session" ? el("a", { href: `#/s/${encodeURIComponent(key)}` }, shown(key)) : shown(key);
  }

  row(name, sum) {
    const cost = sum.cost_usd === null ? dollars(null) : dollars(sum.cost_usd);
    const cells = [number(sum.turns), number(sum.calls), number(sum.input_tokens), number(sum.output_tokens), el("span", { title: String(sum.cost_usd) }, cost), sum.unpriced_turns > 0 ? number(sum.unpriced_turns) : "–"];
    return el("tr", {}, el("th", { scope: "row", dir: "auto" }, name), ...cells.map((cell) => el("td", { class: "n" }, cell)));
  }

  async more() {
    const page = await get(this.path(this.by, this.next));
    this.rows.push(...page.items);
    this.next = page.next;
    this.table();
  }

  close() {
    this.closed = true;
  }
}
