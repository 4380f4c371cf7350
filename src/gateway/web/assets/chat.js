// A conversation on the page.

import { get, post, session as at } from "./api.js";
import { announce, el, find, iconButton, shown, template, toast } from "./dom.js";
import { Choices } from "./choices.js";
import { Composer, outbox } from "./composer.js";
import { TurnView, copy, stopped } from "./message.js";
import { Talk } from "./talk.js";

const PAGE = 40;
// So far from the end one still reads along.
const NEAR = 80;

export class Chat {
  /// `house`: the socket, the agents, the way to other pages.
  constructor(main, house) {
    this.house = house;
    this.main = main;
    main.replaceChildren(template("t-chat"));
    Object.assign(this, { views: new Map(), dirty: new Set(), settled: new Map() });
    this.scroll = find(".scroll", main);
    this.turns = find(".turns", main);
    this.earlier = find(".earlier", main);
    this.latest = find(".latest", main);
    this.state = find(".state", main);
    this.more = find(".more", main);
    this.composer = new Composer(main, this);
    this.choices = new Choices(main, this, house);
    if (house.me.role === "viewer") {
      this.composer.form.replaceChildren(el("p", { class: "none" }, "You may read here, and say nothing: your role is viewer."));
    }
    this.earlier.addEventListener("click", () => this.loadEarlier());
    this.latest.addEventListener("click", () => this.toEnd());
    this.more.addEventListener("click", () => house.sessions.menu(this.id, this.more));
    this.scroll.addEventListener("scroll", () => this.scrolled(), { passive: true });
    // Whatever makes it longer: words, pictures, what they look like in the end.
    this.sizes = new ResizeObserver(() => this.pinned && this.toEnd());
    this.sizes.observe(this.turns);
    this.unwatch = house.socket.watch((state) => this.connection(state));
  }

  get commands() {
    return this.house.socket.commands;
  }

  /// Shows a session; null: a new one.
  async open(id) {
    this.leave();
    this.id = id;
    this.views.clear();
    this.turns.replaceChildren();
    for (const note of this.main.querySelectorAll(".note")) note.remove();
    Object.assign(this, { pinned: true, replaying: false });
    this.earlier.disabled = false;
    this.composer.restore();
    this.composer.text.focus({ preventScroll: true });
    this.earlier.hidden = true;
    this.more.hidden = id === null;
    find(".empty", this.main).hidden = id !== null;
    this.name("");
    this.choices.anew();
    if (id === null) {
      this.composer.working(false);
      return this.showPending();
    }
    const talk = new Talk(id, (turn) => this.changed(turn));
    talk.missing = talk.gap = () => this.reload();
    this.talk = talk;
    try {
      const [row, page] = await Promise.all([get(at(id)), get(at(id, `/messages?before=end&limit=${PAGE}`))]);
      if (this.talk !== talk) return;
      Object.assign(talk, { title: row.title, agent: row.agent, model: row.model });
      talk.load(page.items);
      this.before = page.next;
      this.earlier.hidden = !page.next;
    } catch (error) {
      if (this.talk !== talk) return;
      if (error.code === "not_found" && outbox.all().some((message) => message.session === id)) return;
      if (error.code === "not_found") return this.gone();
      return this.composer.complain(error.message);
    }
    this.showPending();
    this.toEnd();
    this.house.socket.follow(id, () => Math.max(0, talk.seq, (talk.first ?? 1) - 1), (event) => this.heard(talk, event));
  }

  /// The text of a step was missed: what is stored has it.
  async reload() {
    const { talk } = this;
    if (!talk || this.reloading) return;
    this.reloading = true;
    try {
      talk.load((await get(at(talk.id, `/messages?before=end&limit=${PAGE}`))).items);
    } catch {
      // The next event tries again.
    }
    this.reloading = false;
    this.house.socket.resync(talk.id);
  }

  async loadEarlier() {
    const { talk } = this;
    const { scrollHeight, scrollTop } = this.scroll;
    this.earlier.disabled = true;
    try {
      const first = talk.first;
      const page = await get(at(talk.id, `/messages?before=${this.before}&limit=${PAGE}`));
      if (this.talk !== talk) return;
      this.replaying = true;
      talk.load(page.items);
      this.before = page.next;
      this.earlier.hidden = !page.next;
      for (let after = talk.first - 1; after !== null && after < first; ) {
        const events = await get(at(talk.id, `/events?after=${after}&limit=200`));
        for (const event of events.items) if (event.seq < first) talk.event(event);
        after = events.next;
      }
    } catch (error) {
      toast(error.message);
    }
    if (this.talk !== talk) return;
    this.caughtUp();
    this.draw();
    this.scroll.scrollTop = scrollTop + this.scroll.scrollHeight - scrollHeight;
    this.earlier.disabled = false;
  }

  heard(talk, event) {
    if (this.talk !== talk) return;
    if (event.type === "notice") return toast(event.text);
    if (event.type === "error") {
      if (event.code === "not_found") this.gone();
      else if (event.code === "bad_cursor") this.open(this.id);
      return;
    }
    if (event.type === "subscribed") {
      talk.seq = Math.max(talk.seq, event.after);
      talk.live = true;
      return this.caughtUp();
    }
    // A turn that is told from its beginning does not look as if it ran now.
    if (!talk.live) this.replaying = true;
    const before = talk.turns.get(event.turn)?.end;
    talk.event(event);
    const turn = talk.turns.get(event.turn);
    // What is replayed was heard already, or is read by who wants to.
    if (turn?.end && !before && talk.live) this.ended(turn);
    this.house.sessions.heard(talk.id, event);
  }

  caughtUp() {
    this.replaying = false;
    this.changed(null);
  }

  ended({ end, agent }) {
    if (end.kind === "finished") announce(`${agent || "Mosaic"} answered: ${end.text.slice(0, 2_000)}`);
    else announce(end.kind === "cancelled" ? stopped(end) : end.message);
  }

  /// Something looks different: one turn, or with `null` all of it. Drawn once a frame, however fast a model speaks.
  changed(turn) {
    if (turn && this.views.has(turn.id)) this.dirty.add(turn);
    else this.whole = true;
    // Frames come only to what is seen; what is not seen is drawn all the same, for whoever comes back to it.
    this.frame ??= (document.hidden ? (work) => setTimeout(work, 100) : requestAnimationFrame)(() => this.draw());
  }

  draw() {
    this.frame = null;
    const { talk } = this;
    if (!talk || this.replaying) return;
    if (this.whole) this.drawAll();
    else for (const turn of this.dirty) this.views.get(turn.id)?.update(turn);
    this.whole = false;
    this.dirty.clear();
    this.name(talk.title);
    this.choices.update(talk);
    this.composer.working(talk.running !== null);
    this.turns.setAttribute("aria-busy", String(talk.running !== null));
    if (this.settled.size > 0) {
      for (const [id, { turn }] of this.settled) if (talk.turns.get(turn)?.entries.size > 0) this.settled.delete(id);
      this.showPending();
    }
  }

  drawAll() {
    const nodes = this.talk.inOrder().map((turn) => {
      let view = this.views.get(turn.id);
      if (!view) {
        view = new TurnView(this.actions());
        this.views.set(turn.id, view);
      }
      view.update(turn);
      return view.node;
    });
    for (const [id, view] of this.views) {
      if (this.talk.turns.has(id)) continue;
      view.node.remove();
      this.views.delete(id);
    }
    nodes.forEach((node, at) => this.turns.children[at] !== node && this.turns.insertBefore(node, this.turns.children[at] ?? null));
    find(".empty", this.main).hidden = nodes.length > 0 || this.turns.children.length > 0;
  }

  /// What can be done with a message.
  actions() {
    const may = this.house.me.role !== "viewer";
    const fork = ({ id }) => may && id && iconButton("fork", "Go on from here in a session of its own", () => this.fork(id));
    const retry = () => {
      const button = may && iconButton("retry", "Ask again", () => this.retry());
      if (button) button.classList.add("retry");
      return button;
    };
    const all = (...buttons) => buttons.filter(Boolean);
    return {
      asked: (_, entry) => all(
        may && entry.id && iconButton("edit", "Change your message", () => this.composer.edit(entry)),
        iconButton("copy", "Copy your message", () => copy(entry.text)),
      ),
      answered: (_, entry) => all(iconButton("copy", "Copy the answer", () => copy(entry.text)), retry(), fork(entry)),
      cut: (_, entry) => all(iconButton("copy", "Copy the answer", () => copy(entry.text)), fork(entry)),
      ended: () => all(retry()),
    };
  }

  async retry() {
    try {
      await post(at(this.id, "/retry"));
      this.pinned = true;
    } catch (error) {
      this.composer.complain(error.message);
    }
  }

  async fork(message) {
    try {
      const row = await post(at(this.id, "/fork"), { message });
      this.house.sessions.refresh();
      this.house.go(`#/s/${encodeURIComponent(row.id)}`);
      toast("This is a session of its own now; the one before it is as it was.");
    } catch (error) {
      this.composer.complain(error.message);
    }
  }

  name(title) {
    const text = shown(title || (this.id ? "Untitled" : "New chat"));
    find(".title", this.main).textContent = text;
    document.title = `${text} · Mosaic`;
  }

  connection(state) {
    const words = { connecting: "connecting…", waiting: "connection lost; what runs goes on when Mosaic is back", out: "signed out", open: "" };
    this.state.textContent = words[state];
    this.main.classList.toggle("offline", state !== "open");
    if (state !== "open" && this.talk) {
      this.talk.live = false;
      this.caughtUp();
    }
    if (state === "out") this.house.signedOut();
    if (state === "open") {
      this.composer.suggest();
      for (const message of outbox.all()) this.queue(message);
    }
  }

  /// Takes a message over: kept here until the daemon has stored it.
  send({ id, text, mode, replaces }) {
    const message = { id, text, session: this.id, at: Date.now() };
    if (mode) message.mode = mode;
    if (replaces) message.replaces = replaces;
    if (!this.id) Object.assign(message, this.choices.ofNew());
    outbox.add(message);
    this.composer.clear();
    this.pinned = true;
    this.showPending();
    this.toEnd();
    this.queue(message);
  }

  /// One after the other, so that they are taken in as they were written.
  queue(message) {
    this.line = (this.line ?? Promise.resolve()).then(() => outbox.all().some(({ id }) => id === message.id) && this.deliver(message));
  }

  async deliver(message) {
    const { id, at: _, session, ...rest } = message;
    const frame = { type: "message.send", id, ...rest };
    if (session) frame.session = session;
    try {
      const ack = await this.house.socket.ask(frame);
      outbox.drop(id);
      this.acknowledged(message, ack);
    } catch (error) {
      // It is sent again as soon as the daemon is back.
      if (error.code === "unreachable" || error.code === "draining") return;
      outbox.drop(id);
      this.showPending();
      this.composer.complain(error.message);
      if (!this.composer.text.value && (session ?? null) === this.id) this.composer.put(text);
    }
  }

  acknowledged(message, ack) {
    // What was chosen for a new chat holds for all of it.
    if (!message.session && message.model) this.house.patch(ack.session, { model: message.model }).catch((error) => toast(error.message));
    this.house.sessions.refresh();
    if (!message.session && this.id === null) {
      this.showPending();
      this.house.go(`#/s/${ack.session}`);
      return;
    }
    // Its event shows it, maybe a moment later.
    this.settled.set(message.id, { ...message, turn: ack.turn });
    this.showPending();
    if (this.talk) this.changed(null);
  }

  /// Messages that were sent and are not in the transcript yet.
  showPending() {
    this.pending ??= el("div", { class: "pending" });
    const mine = [...outbox.all(), ...this.settled.values()].filter((message) => (message.session ?? null) === this.id);
    const one = ({ text }) => el("article", { class: "said user sending" }, el("h2", { class: "hidden" }, "You, not acknowledged yet"), el("div", { class: "plain", dir: "auto" }, shown(text)));
    this.pending.replaceChildren(...mine.map(one));
    if (this.pending.parentNode !== this.turns.parentNode) this.turns.after(this.pending);
    if (mine.length > 0) find(".empty", this.main).hidden = true;
  }

  /// A slash command. Its answer is a note, not part of the transcript.
  async command(line) {
    if (!this.id) return this.composer.complain("Commands are about a session: send a first message, then try again.");
    try {
      const told = await this.house.socket.ask({ type: "command.execute", session: this.id, line });
      this.composer.clear();
      if (told.session !== this.id) this.house.go(`#/s/${told.session}`);
      const close = iconButton("close", "Close the note", () => note.remove());
      const note = el("aside", { class: "note", "aria-label": `Answer to ${line}` }, close, el("pre", { tabindex: "0" }, shown(told.text)));
      this.turns.after(note);
      announce(told.text);
      this.toEnd();
    } catch (error) {
      this.composer.complain(error.message);
    }
  }

  async stop() {
    const { talk } = this;
    const running = talk?.running;
    if (!running) return;
    try {
      // No other: the next may have begun by the time it is heard.
      await this.house.socket.ask({ type: "turn.cancel", session: talk.id, turn: running.id });
    } catch (error) {
      this.composer.complain(error.message);
    }
  }

  scrolled() {
    const { scrollHeight, scrollTop, clientHeight } = this.scroll;
    this.pinned = scrollHeight - scrollTop - clientHeight < NEAR;
    this.latest.hidden = this.pinned;
  }

  toEnd() {
    this.pinned = true;
    this.latest.hidden = true;
    this.scroll.scrollTop = this.scroll.scrollHeight;
  }

  gone() {
    if (!this.house.sessions.removed.has(this.id)) toast("This session is not there any more.");
    this.house.sessions.refresh();
    this.house.go("#/");
  }

  leave() {
    if (this.talk) this.house.socket.unfollow(this.talk.id);
    this.talk = null;
  }

  close() {
    this.leave();
    this.sizes.disconnect();
    this.unwatch();
  }
}
