// Where a person writes: a draft that survives, commands that complete themselves, messages that are sent once.

import { draw, el, find } from "./dom.js";
import { Files } from "./files.js";
import { keep, read } from "./kept.js";

/// Messages that were sent and not acknowledged, of all tabs of this browser. Each is sent again under its id until the
/// daemon has it, which takes it once.
export const outbox = {
  all: () => read("outbox", []),
  add: (message) => keep("outbox", [...outbox.all(), message].slice(-50)),
  drop: (id) => keep("outbox", outbox.all().filter((message) => message.id !== id)),
};

export class Composer {
  /// `chat` is asked to send and to stop, and told of commands.
  constructor(root, chat) {
    this.chat = chat;
    this.form = find("form.composer", root);
    for (const [name, at] of Object.entries({ text: "textarea", wrong: ".wrong", list: ".commands", send: ".send", stop: ".stop", modes: ".modes", mode: ".mode", editing: ".editing" })) {
      this[name] = find(at, this.form);
    }
    this.at = -1;
    this.files = new Files(root, this.form, (sentence) => this.complain(sentence));
    find("button", this.editing).addEventListener("click", () => this.leave());
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.submit();
    });
    this.text.addEventListener("input", () => this.changed());
    this.text.addEventListener("keydown", (event) => this.key(event));
    this.stop.addEventListener("click", () => this.chat.stop());
    this.list.addEventListener("mousedown", (event) => {
      event.preventDefault();
      this.complete([...this.list.children].indexOf(event.target.closest("li")));
    });
  }

  get draftName() {
    return `draft.${this.chat.id ?? "new"}`;
  }

  /// Takes up what was written for the session that is shown now.
  restore() {
    this.replaces = null;
    this.editing.hidden = true;
    this.files.clear();
    this.text.value = read(this.draftName, "");
    this.complain("");
    this.grow();
    this.suggest();
  }

  put(text) {
    this.text.value = text;
    this.changed();
    this.text.focus();
  }

  /// Writes a message anew, in the place of one that stands.
  edit({ id, text, files }) {
    this.replaces = id;
    this.editing.hidden = false;
    this.text.value = text;
    this.grow();
    this.files.clear();
    if (files?.length > 0) this.files.adopt(files);
    this.text.focus();
  }

  /// Leaves it as it stands, and goes back to the draft.
  leave() {
    this.restore();
    this.text.focus();
  }

  changed() {
    if (!this.replaces) keep(this.draftName, this.text.value);
    this.grow();
    this.suggest();
  }

  /// Where the style sheet cannot make it grow.
  grow() {
    if (CSS.supports("field-sizing", "content")) return;
    this.text.style.height = "auto";
    this.text.style.height = `${this.text.scrollHeight}px`;
  }

  complain(sentence) {
    this.wrong.hidden = !sentence;
    this.wrong.textContent = sentence;
  }

  key(event) {
    if (event.isComposing) return;
    const listed = !this.list.hidden;
    if (listed && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
      event.preventDefault();
      const count = this.list.children.length;
      this.choose((this.at + (event.key === "ArrowDown" ? 1 : count - 1)) % count);
    } else if (listed && event.key === "Tab" && !event.shiftKey) {
      event.preventDefault();
      this.complete(Math.max(this.at, 0));
    } else if (event.key === "Escape") {
      if (listed) this.list.hidden = true;
      else if (this.replaces) this.leave();
      else this.chat.stop();
    } else if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      if (listed && this.at >= 0) this.complete(this.at);
      else this.submit();
    }
  }

  suggest() {
    const typed = /^\/([a-z]*)$/i.exec(this.text.value);
    const fitting = typed ? this.chat.commands.filter((command) => command.name.startsWith(typed[1].toLowerCase())) : [];
    this.list.hidden = fitting.length === 0;
    this.at = -1;
    this.fitting = fitting;
    this.list.replaceChildren(
      ...fitting.map((command, at) =>
        el("li", { role: "option", id: `command-${at}`, "aria-selected": "false" }, el("code", {}, command.usage), el("span", {}, command.help)),
      ),
    );
    this.text.removeAttribute("aria-activedescendant");
  }

  choose(at) {
    this.at = at;
    [...this.list.children].forEach((item, index) => item.setAttribute("aria-selected", String(index === at)));
    this.list.children[at].scrollIntoView({ block: "nearest" });
    this.text.setAttribute("aria-activedescendant", `command-${at}`);
  }

  complete(at) {
    const command = this.fitting[at];
    if (!command) return;
    const takes = command.usage.includes(" ");
    this.put(`/${command.name}${takes ? " " : ""}`);
    this.list.hidden = true;
  }

  submit() {
    const text = this.text.value;
    if (!text.trim()) return this.files.any && this.complain("Say what is to be done with the files.");
    this.complain("");
    const message = { id: draw(), text, mode: this.modes.hidden ? "" : this.mode.value, replaces: this.replaces };
    if (this.files.any) return this.files.send(this.chat, message);
    if (!this.replaces && /^\/[a-z]/i.test(text.trim()) && !text.trim().includes("\n")) {
      this.chat.command(text.trim());
      return;
    }
    this.chat.send(message);
  }

  /// What was written is on its way.
  clear() {
    if (this.replaces) return this.leave();
    this.files.clear();
    this.text.value = "";
    this.changed();
  }

  /// Shows what can be done while a turn runs.
  working(runs) {
    this.stop.hidden = !runs;
    this.modes.hidden = !runs;
  }
}
