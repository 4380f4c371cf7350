// Who answers: the agent, and the model where it is not left to the agent.

import { get } from "./api.js";
import { el, find, shown, toast } from "./dom.js";

const price = (usd) => `$${Number(usd.toFixed(2))}`;

/// A model in a line: what it reads, what it costs, what it can, and whether its provider has a bad time.
function about({ model, context_tokens: window, price: usd, vision, reasoning, health }) {
  const told = [
    window && `${window >= 1_000 ? `${Math.round(window / 1_000)}k` : window} tokens`,
    usd && `${price(usd.input_usd_per_mtok)} in, ${price(usd.output_usd_per_mtok)} out`,
    vision && "sees", vision === false && "no pictures", reasoning && "reasons",
    health === "fails" && "failed last", health === "down" && "down",
  ].filter(Boolean);
  return told.length > 0 ? `${shown(model)} (${told.join(", ")})` : shown(model);
}

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

  /// What the config names is there at once; what providers list follows.
  async load() {
    for (const path of ["/api/v1/models", "/api/v1/models?listed=true"]) {
      try {
        this.known = (await get(path)).items;
      } catch {
        // The agent's models answer; nothing is there to choose from.
        this.known ??= [];
      }
      // Not under the hand of one who is choosing.
      if (document.activeElement !== this.models) this.show();
    }
  }

  /// Another session is shown, or a new chat begins: nothing is chosen yet.
  anew() {
    this.wish = null;
    this.show();
  }

  /// What stands in the session that is shown; of a new chat: what is usual.
  show() {
    const { agents } = this.house;
    const { talk } = this.chat;
    const wish = talk ? null : this.wish;
    const agent = talk?.agent || wish?.agent || agents.find((agent) => agent.default)?.name || agents[0]?.name;
    const option = (name) => el("option", { value: name, selected: name === agent }, shown(name));
    this.agents.replaceChildren(...agents.map(({ name }) => option(name)));
    const now = (talk ? talk.model : wish?.model) ?? "";
    const known = this.known ?? [];
    const all = now && !known.some(({ id }) => id === now) ? [{ id: now, provider: now.split("/")[0], model: now.slice(now.indexOf("/") + 1) }, ...known] : known;
    this.pill.hidden = all.length === 0;
    const one = (model) => el("option", { value: model.id, selected: model.id === now }, about(model));
    const providers = [...new Set(all.map(({ provider }) => provider))];
    const groups = providers.map((provider) => el("optgroup", { label: shown(provider) }, ...all.filter((model) => model.provider === provider).map(one)));
    this.models.replaceChildren(el("option", { value: "", selected: !now }, "the agent's"), ...groups);
    this.shown = `${talk?.id} ${agent} ${now}`;
  }

  /// Shows it again where the session was changed elsewhere.
  update({ id, agent, model }) {
    if (`${id} ${agent} ${model ?? ""}` !== this.shown) this.show();
  }

  async change(wish, told) {
    const { talk } = this.chat;
    if (!talk) {
      // Kept, since this is drawn again when the models come.
      this.wish = { agent: this.agents.value, model: this.models.value };
      return;
    }
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
