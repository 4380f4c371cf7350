// Who answers: the agent, and the model where it is not left to the agent.

import { get } from "./api.js";
import { el, find, shown, toast } from "./dom.js";

export class Choices {
  constructor(root, chat, house) {
    Object.assign(this, { chat, house, agents: find(".agent", root), models: find(".model", root), pill: find(".models", root) });
    this.agents.addEventListener("change", () => this.change({ agent: this.agents.value }, `${this.agents.value} answers from the next message on.`));
    this.models.addEventListener("change", () => {
      const { value } = this.models;
      this.change({ model: value || "auto" }, value ? `${value} and no other model answers from the next message on.` : "The agent's models answer from the next message on.");
    });
    this.load();
  }

  async load() {
    try {
      const all = (await get("/v1/models")).data.map((model) => model.id);
      this.names = all.filter((id) => id.includes("/"));
    } catch {
      // The agent's models answer; nothing is there to choose from.
      this.names = [];
    }
    this.show();
  }

  /// What stands in the session that is shown; of a new chat: what is usual.
  show() {
    const { agents } = this.house;
    const { talk } = this.chat;
    const agent = talk?.agent || agents.find((agent) => agent.default)?.name || agents[0]?.name;
    const option = (name) => el("option", { value: name, selected: name === agent }, shown(name));
    this.agents.replaceChildren(...agents.map(({ name }) => option(name)));
    const now = talk?.model ?? "";
    const names = now && !this.names?.includes(now) ? [now, ...(this.names ?? [])] : (this.names ?? []);
    this.pill.hidden = names.length === 0;
    this.models.replaceChildren(
      el("option", { value: "", selected: !now }, "the agent's"), ...names.map((name) => el("option", { value: name, selected: name === now }, shown(name))));
    this.shown = `${talk?.id} ${agent} ${now}`;
  }

  /// Shows it again where the session was changed elsewhere.
  update({ id, agent, model }) {
    if (`${id} ${agent} ${model ?? ""}` !== this.shown) this.show();
  }

  async change(wish, told) {
    const { talk } = this.chat;
    if (!talk) return;
    try {
      const row = await this.house.patch(talk.id, wish);
      Object.assign(talk, { agent: row.agent, model: row.model });
      toast(told);
    } catch (error) {
      toast(error.message);
    }
    this.show();
  }

  /// What a message that makes its session says of it.
  ofNew() {
    const wish = { agent: this.agents.value };
    if (this.models.value) wish.model = this.models.value;
    return wish;
  }
}
