// One socket for all that happens. It comes back by itself, and takes up each session where it was cut off.

import { draw } from "./dom.js";
import { Refused } from "./api.js";

const FIRST_WAIT = 250;
const LONGEST_WAIT = 8_000;
// The daemon closes what says nothing for 60 s; and what does not answer us in time is a connection that only looks like one.
const PING = 20_000;
const PATIENCE = 10_000;

const GONE = { code: "unreachable", message: "The connection to Mosaic was cut. It is made again by itself." };

export class Socket {
  constructor() {
    this.state = "connecting";
    this.commands = [];
    this.follows = new Map();
    this.asked = new Map();
    this.watchers = new Set();
    this.tries = 0;
    this.closed = false;
    this.again = () => this.retryNow();
    window.addEventListener("online", this.again);
    document.addEventListener("visibilitychange", this.again);
    this.open();
  }

  /// Tells `watcher` of each change of the state: `connecting`, `open`, `waiting` or `out` (not signed in any more).
  watch(watcher) {
    this.watchers.add(watcher);
    watcher(this.state);
    return () => this.watchers.delete(watcher);
  }

  become(state) {
    this.state = state;
    for (const watcher of [...this.watchers]) watcher(state);
  }

  open() {
    clearTimeout(this.timer);
    this.become("connecting");
    const wire = new WebSocket(`${location.origin.replace(/^http/, "ws")}/ws`);
    this.wire = wire;
    wire.onopen = () => wire.send(JSON.stringify({ type: "connect", protocol: 1 }));
    wire.onmessage = (message) => this.wire === wire && this.heard(JSON.parse(message.data));
    wire.onclose = (end) => this.wire === wire && this.lost(end.code);
  }

  lost(code) {
    clearInterval(this.beat);
    clearTimeout(this.silence);
    this.wire = null;
    for (const { reject } of this.asked.values()) reject(new Refused(0, GONE));
    this.asked.clear();
    if (this.closed) return;
    if (code === 4401) return this.become("out");
    this.become("waiting");
    const wait = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** this.tries) * (0.6 + 0.8 * Math.random());
    this.tries += 1;
    this.timer = setTimeout(() => this.open(), wait);
  }

  retryNow() {
    if (this.state === "waiting" && !document.hidden) {
      this.tries = 0;
      this.open();
    }
  }

  close() {
    this.closed = true;
    clearTimeout(this.timer);
    window.removeEventListener("online", this.again);
    document.removeEventListener("visibilitychange", this.again);
    this.wire?.close();
  }

  send(frame) {
    if (this.wire?.readyState === WebSocket.OPEN) this.wire.send(JSON.stringify(frame));
  }

  heard(frame) {
    clearTimeout(this.silence);
    this.silence = null;
    if (frame.type === "ready") {
      this.tries = 0;
      this.commands = frame.commands;
      this.role = frame.role;
      for (const [session, follow] of this.follows) this.subscribe(session, follow);
      this.beat = setInterval(() => this.ping(), PING);
      return this.become("open");
    }
    const asked = frame.id !== undefined && this.asked.get(frame.id);
    if (asked) {
      this.asked.delete(frame.id);
      if (frame.type === "error") asked.reject(new Refused(0, frame));
      else asked.resolve(frame);
      return;
    }
    if (frame.session) this.follows.get(frame.session)?.tell(frame);
  }

  ping() {
    this.send({ type: "ping" });
    this.silence ??= setTimeout(() => this.wire?.close(), PATIENCE);
  }

  /// Asks for something that is answered; refused with `unreachable` where the connection breaks before.
  ask(frame) {
    const id = frame.id ?? draw();
    if (this.state !== "open") return Promise.reject(new Refused(0, GONE));
    return new Promise((resolve, reject) => {
      this.asked.set(id, { resolve, reject });
      this.send({ ...frame, id });
    });
  }

  /// Follows a session: `after()` says from where, each time anew; `tell` hears every event.
  follow(session, after, tell) {
    const follow = { after, tell };
    this.follows.set(session, follow);
    if (this.state === "open") this.subscribe(session, follow);
  }

  subscribe(session, follow) {
    this.send({ type: "subscribe", session, after: follow.after() });
  }

  /// From where it stands, once more.
  resync(session) {
    const follow = this.follows.get(session);
    if (follow && this.state === "open") this.subscribe(session, follow);
  }

  unfollow(session) {
    if (this.follows.delete(session)) this.send({ type: "unsubscribe", session });
  }
}
