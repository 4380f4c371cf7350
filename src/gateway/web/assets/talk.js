// What a session looks like: its turns, each with what was said in it, made of stored messages and of events. Knows no
// page; every event may come twice and changes nothing the second time.

const chars = (text) => {
  let count = 0;
  for (const _ of text) count += 1;
  return count;
};

/// The index of the `count`th character.
const indexOf = (text, count) => {
  let at = 0;
  for (const char of text) {
    if (count-- === 0) break;
    at += char.length;
  }
  return at;
};

const nothing = () => ({ attempt: 0, step: 0, text: "", length: 0, thinking: "", steps: [] });

/// The step of a tool's call, made where it is not there.
const tool = ({ live: { steps } }, call, name) =>
  steps.find((step) => step.kind === "tool" && step.call === call) ?? steps[steps.push({ kind: "tool", name, call, ok: null }) - 1];

const files = (session, all = []) =>
  all.map((file) => ({ ...file, url: `/api/v1/sessions/${encodeURIComponent(session)}/attachments/${encodeURIComponent(file.id)}` }));

export class Talk {
  /// `changed(turn)` is called for each turn that looks different now; `null`: all of it.
  constructor(id, changed) {
    Object.assign(this, { id, changed, turns: new Map(), seq: 0, first: null, title: "", agent: "", model: null, gone: [], dropped: new Set() });
  }

  /// The turns in the order in which they were accepted.
  inOrder() {
    return [...this.turns.values()].sort((a, b) => a.first - b.first);
  }

  get running() {
    return this.inOrder().find((turn) => turn.state === "running") ?? null;
  }

  get busy() {
    return [...this.turns.values()].some((turn) => turn.state === "running" || turn.state === "queued");
  }

  turn(id, seq) {
    let turn = this.turns.get(id);
    if (!turn) {
      turn = { id, first: seq, entries: new Map(), state: "old", live: nothing(), done: null, end: null, agent: "" };
      this.turns.set(id, turn);
    }
    turn.first = Math.min(turn.first, seq ?? turn.first);
    return turn;
  }

  /// Takes in stored messages, oldest first.
  load(rows) {
    for (const row of rows) {
      const turn = this.turn(row.turn, row.seq);
      if (this.first === null || row.seq < this.first) this.first = row.seq;
      for (const { id, name, arguments: asked, state } of row.tool_calls ?? []) {
        Object.assign(tool(turn, id, name), { ok: state === "intended" ? null : state === "done", asked });
      }
      if (row.role === "tool") {
        tool(turn, row.tool_call_id, row.tool).said = row.text;
        continue;
      }
      // It called tools and said nothing beside.
      if (!row.text && row.tool_calls) continue;
      turn.entries.set(row.seq, {
        seq: row.seq, id: row.id, role: row.role, text: row.text, at: row.created_at, agent: row.agent, files: files(this.id, row.attachments),
      });
    }
    this.changed(null);
  }

  /// Takes in an event.
  event(event) {
    const { seq } = event;
    if (seq !== undefined) {
      if (seq <= this.seq && this.turns.get(event.turn)?.end) return;
      this.seq = Math.max(this.seq, seq);
    }
    if (event.type === "session.changed") {
      Object.assign(this, { title: event.title, agent: event.agent, model: event.model ?? null });
      return this.changed(null);
    }
    if (event.type === "messages.superseded") return this.superseded(event);
    if (!event.turn || this.dropped.has(event.turn)) return;
    if (!this.turns.has(event.turn) && this.gone.some(({ from, seq: until }) => from <= seq && seq < until)) {
      this.dropped.add(event.turn);
      return;
    }
    const turn = this.turn(event.turn, seq ?? this.seq);
    if (turn.end && seq === undefined) return;
    this[event.type]?.(turn, event);
    this.changed(turn);
  }

  /// An input left the dialogue, with the rest of its turn and all turns that were accepted after it.
  superseded({ from, seq }) {
    this.gone.push({ from, seq });
    const turns = this.inOrder();
    const its = turns.find((turn) => turn.entries.has(from) || turn.first === from);
    for (const turn of turns) {
      if (turn === its && turn.first < from) {
        for (const at of turn.entries.keys()) if (at >= from) turn.entries.delete(at);
      } else if (turn.first >= from && turn.first < seq) {
        this.turns.delete(turn.id);
        this.dropped.add(turn.id);
      }
    }
    this.changed(null);
  }

  ["turn.accepted"](turn, { seq, text, attachments }) {
    if (turn.state === "old") turn.state = "queued";
    if (!turn.entries.has(seq)) {
      turn.entries.set(seq, { seq, id: `${this.id}.${seq}`, role: "user", text, at: new Date().toISOString(), files: files(this.id, attachments) });
    }
  }

  ["turn.started"](turn, { agent }) {
    if (!turn.end) Object.assign(turn, { state: "running", agent });
  }

  ["turn.restarted"](turn, { attempt }) {
    Object.assign(turn, { state: "running", live: { ...nothing(), attempt }, done: null });
  }

  ["turn.delta"](turn, { attempt, step, offset, text }) {
    turn.state = "running";
    let { live } = turn;
    if (attempt < live.attempt || (attempt === live.attempt && step < live.step)) return;
    if (attempt > live.attempt || step > live.step) {
      this.commit(turn);
      // What was thought and done before the first word belongs to it.
      const anew = live.attempt !== 0 && attempt > live.attempt;
      live = turn.live = anew ? { ...nothing(), attempt, step } : { ...live, attempt, step, text: "", length: 0 };
    }
    if (offset > live.length) return this.gap?.();
    const said = offset < live.length ? live.text.slice(0, indexOf(live.text, offset)) : live.text;
    const before = offset < live.length && live.text;
    live.text = said + text;
    live.length = offset + chars(text);
    // What was heard again is no longer than what is there.
    if (before && before.startsWith(live.text)) Object.assign(live, { text: before, length: chars(before) });
  }

  ["turn.thinking"](turn, { text }) {
    turn.state = "running";
    turn.live.thinking += text;
  }

  /// A tool begins to run, or has ended: the model's step before it is over.
  called(turn, name, ok, told) {
    // It may have called tools and said nothing beside.
    if (turn.done && !turn.done.text) turn.done = null;
    this.commit(turn);
    Object.assign(tool(turn, told.call, name), { ok, asked: told.arguments, said: told.result });
  }

  ["step.started"](turn, { kind, name, part, tool }) {
    turn.state = "running";
    if (tool) return this.called(turn, name, null, tool);
    if (part === undefined) this.commit(turn);
    turn.live.steps.push({ kind, name, part, ok: null });
  }

  ["step.finished"](turn, { kind, name, ok, part, tool, seq }) {
    if (tool) return this.called(turn, name, ok, tool);
    const { steps } = turn.live;
    const same = (step) => step.name === name && step.part === part?.number;
    // One that is told again, as it is stored, is the one that was told live.
    const step = steps.findLast((step) => same(step) && (step.ok === null || part)) ?? steps[steps.push({ kind, name, part: part?.number }) - 1];
    Object.assign(step, { ok, told: part ?? null });
    // Of a step that asks several models at once it is one of them, and the step goes on.
    if (part) return;
    // The text of a step that is not the last is told by the deltas alone; whether it was the last comes next.
    if (seq !== undefined && kind === "model" && ok && !turn.entries.has(seq)) turn.done = { seq, text: turn.live.text };
  }

  /// What a finished step said stands from now on.
  commit(turn) {
    const { done } = turn;
    if (!done) return;
    turn.done = null;
    if (!done.text) this.missing?.();
    turn.entries.set(done.seq, { seq: done.seq, role: "assistant", text: done.text, at: new Date().toISOString(), agent: turn.agent, files: [] });
    turn.live = { ...turn.live, text: "", length: 0 };
  }

  /// A turn is over: its last words, if it has any, are those of the event.
  ended(turn, kind, event) {
    Object.assign(turn, { end: { ...event, kind }, state: kind });
    if (event.text !== undefined) {
      const known = turn.entries.get(event.seq);
      turn.entries.set(event.seq, {
        seq: event.seq, id: `${this.id}.${event.seq}`, role: "assistant", text: event.text, agent: turn.agent || known?.agent,
        at: known?.at ?? new Date().toISOString(), files: [],
      });
    }
    Object.assign(turn, { done: null, live: { ...nothing(), thinking: turn.live.thinking, steps: turn.live.steps } });
  }

  ["turn.finished"](turn, event) {
    this.ended(turn, "finished", event);
  }

  ["turn.failed"](turn, event) {
    this.commit(turn);
    this.ended(turn, "failed", event);
  }

  ["turn.cancelled"](turn, event) {
    this.commit(turn);
    this.ended(turn, "cancelled", event);
  }
}
