// The dashboard: who is there, which page is shown, and what all pages share.

import { ask, get, onSignedOut, post, session, setCsrf } from "./api.js";
import { Chat } from "./chat.js";
import { announce, find, template, toast } from "./dom.js";
import { FirstRun } from "./firstrun.js";
import { forget, keep, read } from "./kept.js";
import { Observe } from "./observe.js";
import { Sessions } from "./sessions.js";
import { signIn } from "./signin.js";
import { Socket } from "./socket.js";
import { Usage } from "./usage.js";

const PAGES = { observe: Observe, usage: Usage };

const app = find("#app");

class House {
  constructor(me) {
    this.me = me;
    app.replaceChildren(template("t-frame"));
    document.body.classList.toggle("viewer", me.role === "viewer");
    this.main = find("#main");
    this.socket = new Socket();
    // Where nobody answers, nothing is known to work.
    this.socket.watch((state) => state !== "connecting" && document.body.classList.toggle("away", state === "waiting"));
    this.agents = [];
    this.sessions = new Sessions(app, this);
    app.addEventListener("click", (event) => this.clicked(event));
    window.addEventListener("hashchange", () => this.route());
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.drawer(false);
    });
  }

  async start() {
    const [agents, providers] = await Promise.all([get("/api/v1/agents"), get("/api/v1/providers")]);
    this.agents = agents.items;
    this.ready = providers.items.length > 0;
    this.route();
  }

  go(hash) {
    if (location.hash === hash) this.route();
    else location.hash = hash;
  }

  /// Shows what the address names.
  route() {
    const [, page = "", id] = location.hash.split("/");
    this.drawer(false);
    const shown = page === "s" && id ? decodeURIComponent(id) : null;
    this.sessions.select(shown);
    for (const link of app.querySelectorAll(".pages a")) {
      if (link.getAttribute("href") === `#/${page}`) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    // Only an owner may bring a key; whoever else comes first is told by the first answer what is missing.
    const first = !this.ready && this.me.role === "owner" && !shown;
    const Page = PAGES[page] ?? (first ? FirstRun : Chat);
    if (Page !== Chat || !(this.page instanceof Chat)) {
      this.page?.close();
      this.page = new Page(this.main, this);
    }
    if (Page === Chat) this.page.open(shown);
  }

  patch(id, change) {
    return ask("PATCH", session(id), change);
  }

  clicked(event) {
    const wish = event.target.closest("[data-do]")?.dataset.do;
    if (wish === "drawer") this.drawer(!document.body.classList.contains("drawn"));
    else if (wish === "theme") turnTheme();
    else if (wish === "logout") this.logout();
  }

  /// On a phone the list lies over the page.
  drawer(open) {
    document.body.classList.toggle("drawn", open);
    if (open) find("#side a").focus();
  }

  async logout() {
    try {
      await post("/logout");
    } catch (error) {
      if (error.code === "unreachable") return toast(error.message);
    }
    this.signedOut();
  }

  signedOut() {
    if (this.over) return;
    this.over = true;
    this.socket.close();
    this.sessions.close();
    forget();
    // What was said last is nobody's business any more.
    announce("");
    find("#toasts").replaceChildren();
    document.body.classList.remove("away");
    location.hash = "";
    signIn(app);
  }
}

const THEMES = ["system", "light", "dark"];

function theme(name) {
  document.documentElement.dataset.theme = name;
  const label = find("[data-do=theme] span");
  if (label) label.textContent = `Theme: ${name}`;
}

function turnTheme() {
  const next = THEMES[(THEMES.indexOf(document.documentElement.dataset.theme) + 1) % THEMES.length];
  keep("theme", next);
  theme(next);
}

find(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  find("#main")?.focus();
});

// A file that misses the composer must not take the page's place.
for (const kind of ["dragover", "drop"]) document.addEventListener(kind, (event) => event.preventDefault());

async function begin() {
  theme(read("theme", "system"));
  if (document.body.dataset.signedIn === "no") return signIn(app);
  try {
    const me = await get("/api/v1/me");
    setCsrf(me.csrf);
    const house = new House(me);
    onSignedOut(() => house.signedOut());
    theme(document.documentElement.dataset.theme);
    await house.start();
  } catch (error) {
    if (error.status === 401) return signIn(app);
    toast(error.message);
    setTimeout(begin, 2_000);
  }
}

begin();
