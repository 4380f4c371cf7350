// A house without a model: takes a key, tries it, and begins.

import { get, post } from "./api.js";
import { el, find, template, toast } from "./dom.js";

// Names that the daemon knows, with what each wants of a person.
const PLACES = [
  { kind: "openai", name: "OpenAI", key: "required" },
  { kind: "anthropic", name: "Anthropic", key: "required" },
  { kind: "gemini", name: "Google Gemini", key: "required" },
  { kind: "openrouter", name: "OpenRouter", key: "required" },
  { kind: "ollama", name: "Ollama, on this machine", key: "none" },
  { kind: "openai", name: "Another server that speaks OpenAI's wire", key: "optional", url: true, own: "custom" },
];

export class FirstRun {
  constructor(main, house) {
    Object.assign(this, { main, house });
    main.replaceChildren(template("t-first"));
    document.title = "Welcome · Mosaic";
    this.form = find("form", main);
    this.place = find("select", main);
    this.place.replaceChildren(...PLACES.map(({ name }, at) => el("option", { value: at }, name)));
    this.place.addEventListener("change", () => this.choose());
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.take();
    });
    this.choose();
    // A provider may come by the command line too.
    this.timer = setInterval(() => !document.hidden && this.look(), 3_000);
  }

  get wish() {
    return PLACES[this.place.value];
  }

  choose() {
    const { key, url } = this.wish;
    const { key: input, url: address } = this.form.elements;
    find(".key", this.main).hidden = key === "none";
    input.required = key === "required";
    find(".key label", this.main).textContent = key === "optional" ? "Key, if it wants one" : "Key";
    find(".url", this.main).hidden = !url;
    address.required = Boolean(url);
  }

  async take() {
    const { kind, key, url, own } = this.wish;
    const { key: input, url: address } = this.form.elements;
    const body = { kind };
    if (key !== "none" && input.value.trim()) body.api_key = input.value.trim();
    if (url) Object.assign(body, { base_url: address.value.trim(), name: own });
    const button = find("button.main", this.form);
    const wrong = find(".wrong", this.form);
    wrong.textContent = "";
    button.disabled = true;
    button.textContent = "Trying it…";
    try {
      await post("/api/v1/providers", body);
      toast("It answers. Say hello!");
      await this.begin();
    } catch (error) {
      // It speaks of the settings that this form writes.
      wrong.textContent = error.message.replace(/\bits base_url\b/g, "the address").replace(/\bprovider custom\b/gi, (name) => (name[0] === "P" ? "The server" : "the server"));
      const key = error.message.includes(" key") || !url;
      (key ? input : address).focus();
    }
    button.disabled = false;
    button.textContent = "Try it and begin";
  }

  async look() {
    try {
      if ((await get("/api/v1/providers")).items.length > 0) await this.begin();
    } catch {
      // The next look.
    }
  }

  async begin() {
    if (this.closed) return;
    await this.house.start();
  }

  open() {}

  close() {
    this.closed = true;
    clearInterval(this.timer);
  }
}
