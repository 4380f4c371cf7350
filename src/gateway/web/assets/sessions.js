// The list of sessions, newest change first, page by page.

import { ask, get, session as at } from "./api.js";
import { ago, announce, el, find, icon, shown, template, toast } from "./dom.js";

const PAGE = 40;
const LOOK_AGAIN = 5_000;
const TYPED = 200;

export class Sessions {
  constructor(root, house) {
    this.house = house;
    this.list = find("#sessions ul", root);
    this.none = find("#sessions .none", root);
    this.more = find("#sessions button", root);
    this.search = find("#q", root);
    this.archived = find("#archived", root);
    this.rows = new Map();
    // What was deleted here: nobody need be told that it is gone.
    this.removed = new Set();
    this.next = null;
    this.more.addEventListener("click", () => this.loadMore());
    this.near = new IntersectionObserver((seen) => seen.at(-1).isIntersecting && this.loadMore());
    this.near.observe(this.more);
    this.search.addEventListener("input", () => {
      clearTimeout(this.typing);
      this.typing = setTimeout(() => this.begin(), TYPED);
    });
    this.archived.addEventListener("change", () => this.begin());
    this.timer = setInterval(() => !document.hidden && this.refresh(), LOOK_AGAIN);
    this.begin();
  }

  path(cursor) {
    const query = new URLSearchParams({ limit: PAGE });
    const words = this.search.value.trim();
    if (words) query.set("q", words);
    if (this.archived.checked) query.set("archived", "true");
    if (cursor) query.set("cursor", cursor);
    return `/api/v1/sessions?${query}`;
  }

  /// From the top, with what is searched for now.
  async begin() {
    this.rows.clear();
    this.next = null;
    await this.refresh(true);
  }

  /// Looks at the top of the list again; what was read below it stays.
  async refresh(anew = false) {
    const asked = (this.asked = (this.asked ?? 0) + 1);
    try {
      const page = await get(this.path(null));
      if (asked !== this.asked) return;
      if (anew || this.rows.size <= PAGE) {
        this.rows = new Map(page.items.map((row) => [row.id, row]));
        this.next = page.next;
      } else {
        for (const row of page.items) this.rows.set(row.id, row);
      }
      this.draw();
    } catch (error) {
      if (anew && error.code !== "unreachable") this.say(error.message);
    }
  }

  async loadMore() {
    if (!this.next || this.loading) return;
    this.loading = true;
    const asked = this.asked;
    try {
      const page = await get(this.path(this.next));
      if (asked === this.asked || this.rows.size > PAGE) {
        for (const row of page.items) if (!this.rows.has(row.id)) this.rows.set(row.id, row);
        this.next = page.next;
        this.draw();
      }
    } catch (error) {
      toast(error.message);
    }
    this.loading = false;
    // It is told of changes only: the end may be in sight still.
    this.near.unobserve(this.more);
    this.near.observe(this.more);
  }

  /// An event of the session that is shown: the list need not wait for its next look.
  heard(id, event) {
    const row = this.rows.get(id);
    if (!row) return;
    if (event.type === "turn.started") row.state = "running";
    else if (event.type === "turn.finished" || event.type === "turn.failed" || event.type === "turn.cancelled") row.state = "idle";
    else if (event.type === "session.changed") Object.assign(row, { title: event.title, agent: event.agent });
    else return;
    this.draw();
  }

  draw() {
    const rows = [...this.rows.values()].sort((a, b) => (a.updated_at < b.updated_at ? 1 : a.updated_at > b.updated_at ? -1 : a.id < b.id ? 1 : -1));
    const looks = JSON.stringify([rows, this.current, this.next === null]);
    if (looks === this.looks) return;
    this.looks = looks;
    const focused = document.activeElement?.closest?.("#sessions li")?.dataset.id;
    const had = focused && document.activeElement.tagName;
    this.list.replaceChildren(...rows.map((row) => this.item(row)));
    if (focused) find(`li[data-id="${CSS.escape(focused)}"] ${had}`, this.list)?.focus({ preventScroll: true });
    this.more.hidden = !this.next;
    this.say(rows.length > 0 ? "" : this.search.value.trim() ? "Nothing fits." : this.archived.checked ? "Nothing is archived." : "No sessions yet. The first message makes one.");
  }

  item({ id, title, state, updated_at: when, channel }) {
    const words = { running: "works", queued: "waits", down: "down" };
    const name = shown(title || "Untitled");
    const menu = el("button", { class: "icon", type: "button", "aria-label": `Rename, archive or delete ${name}`, onclick: (event) => this.menu(id, event.currentTarget) }, icon("more"));
    const told = el("span", { class: "sub" }, words[state] ? el("span", { class: `dot ${state}` }, words[state]) : null, channel === "api" ? null : channel, el("time", { datetime: when }, ago(when)));
    const link = el("a", { href: `#/s/${encodeURIComponent(id)}`, "aria-current": id === this.current ? "page" : null }, el("span", { class: "name", dir: "auto" }, name), told);
    return el("li", { "data-id": id }, link, menu);
  }

  select(id) {
    this.current = id;
    this.draw();
  }

  say(text) {
    this.none.hidden = !text;
    this.none.textContent = text;
  }

  /// Renames, archives or deletes.
  async menu(id, opener) {
    let row = this.rows.get(id);
    try {
      row ??= await get(at(id));
    } catch (error) {
      return toast(error.message);
    }
    const page = template("t-session");
    const dialog = find("dialog", page);
    document.body.append(page);
    const name = find("#d-name", dialog);
    name.value = row.title;
    find("[value=archive]", dialog).textContent = row.archived ? "Unarchive" : "Archive";
    find("form", dialog).addEventListener("submit", async (event) => {
      const wish = event.submitter?.value;
      if (!wish) return;
      event.preventDefault();
      const sure = event.submitter.dataset.sure;
      if (wish === "delete" && !sure) {
        event.submitter.dataset.sure = "yes";
        event.submitter.textContent = "Delete for good";
        return;
      }
      try {
        await this.carryOut(wish, row, name.value.trim());
        dialog.close();
      } catch (error) {
        find(".wrong", dialog).textContent = error.message;
      }
    });
    dialog.addEventListener("close", () => {
      dialog.remove();
      (opener.isConnected ? opener : this.search).focus();
    });
    dialog.showModal();
    name.select();
  }

  async carryOut(wish, row, name) {
    if (wish === "rename") await this.house.patch(row.id, { title: name });
    else if (wish === "archive") await this.house.patch(row.id, { archived: !row.archived });
    else {
      this.removed.add(row.id);
      try {
        await ask("DELETE", at(row.id));
      } catch (error) {
        this.removed.delete(row.id);
        throw error;
      }
      announce("Deleted.");
    }
    if (wish !== "rename") this.rows.delete(row.id);
    if (wish === "delete" && row.id === this.current) this.house.go("#/");
    await this.refresh();
  }

  close() {
    clearInterval(this.timer);
  }
}
