// Files that go with a message: text that is read, pictures that are looked at.

import { ask, post, session as at } from "./api.js";
import { announce, el, find, iconButton, shown } from "./dom.js";

// The daemon's own bounds, so that nothing is sent in vain.
const FILES = 8;
const TEXT_BYTES = 256 * 1024;
const PICTURE_BYTES = 5 * 1024 * 1024;
const ALL_BYTES = 23 * 1024 * 1024;
const PICTURES = new Set(["image/png", "image/jpeg", "image/webp", "image/gif"]);

export const isPicture = ({ media_type: type }) => PICTURES.has(type);

/// So much, in few words.
export function size(bytes) {
  if (bytes < 1_024) return `${bytes} B`;
  return bytes < 1_048_576 ? `${Math.round(bytes / 1_024)} KB` : `${(bytes / 1_048_576).toFixed(1)} MB`;
}

/// The bytes of a file in base64.
async function base64(file) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  let text = "";
  for (let at = 0; at < bytes.length; at += 0x8000) text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  return btoa(text);
}

async function read(file) {
  const name = (file.name || "pasted").replace(/[\u0000-\u001f\u007f-\u009f]/g, "").slice(0, 200) || "pasted";
  if (PICTURES.has(file.type)) {
    if (file.size > PICTURE_BYTES) throw new Error(`${name} is larger than 5 MB.`);
    return { name, media_type: file.type, data: await base64(file), url: URL.createObjectURL(file), bytes: file.size };
  }
  if (file.size > TEXT_BYTES) throw new Error(`${name} is larger than 256 KB, which is what a text file may have.`);
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(await file.arrayBuffer());
    if (text.includes("\0")) throw new Error("binary");
    return { name, media_type: file.type.startsWith("text/") ? file.type : "text/plain", text, bytes: file.size };
  } catch {
    throw new Error(`${name} is neither text nor a picture (PNG, JPEG, WebP, GIF).`);
  }
}

export class Files {
  /// `complain` shows a sentence. What is dropped anywhere on `main` is taken.
  constructor(main, form, complain) {
    Object.assign(this, { complain, form, all: [], coming: Promise.resolve(), list: find(".files", form), pick: find(".pick", form) });
    const clip = find(".clip", form);
    clip.hidden = false;
    clip.addEventListener("click", () => this.pick.click());
    this.pick.addEventListener("change", () => {
      this.add(this.pick.files);
      this.pick.value = "";
    });
    form.addEventListener("paste", (event) => {
      if (event.clipboardData.files.length === 0) return;
      event.preventDefault();
      this.add(event.clipboardData.files);
    });
    const scroll = find(".scroll", main);
    for (const place of [scroll, form]) {
      place.addEventListener("dragover", (event) => {
        if (!event.dataTransfer.types.includes("Files")) return;
        event.preventDefault();
        form.classList.add("over");
      });
      place.addEventListener("dragleave", () => form.classList.remove("over"));
      place.addEventListener("drop", (event) => {
        form.classList.remove("over");
        if (event.dataTransfer.files.length === 0) return;
        event.preventDefault();
        this.add(event.dataTransfer.files);
      });
    }
  }

  get any() {
    return this.all.length > 0;
  }

  /// One after the other, in the order in which they were given.
  add(files) {
    const given = [...files];
    this.coming = this.coming.then(() => this.take(given));
    return this.coming;
  }

  async take(files) {
    this.complain("");
    for (const file of files) {
      if (this.all.length >= FILES) {
        this.complain(`A message takes ${FILES} files. Send the others with the next one.`);
        break;
      }
      if (this.all.reduce((sum, { bytes }) => sum + bytes, file.size) > ALL_BYTES) {
        this.complain("Together the files are larger than 23 MB. Send the others with the next message.");
        break;
      }
      try {
        this.all.push(await read(file));
      } catch (error) {
        this.complain(error.message);
      }
    }
    this.show();
  }

  /// Takes up the files of a message that is written anew.
  async adopt(files) {
    const fetched = files.map(async ({ url, name, media_type: type }) => new File([await (await fetch(url)).blob()], name, { type }));
    try {
      await this.add(await Promise.all(fetched));
    } catch {
      this.complain("The files of this message could not be read. Attach them again.");
    }
  }

  show() {
    this.list.hidden = !this.any;
    this.list.replaceChildren(...this.all.map((file) => {
      const away = iconButton("close", `Take ${shown(file.name)} away`, () => this.remove(file));
      const picture = file.url && el("img", { src: file.url, alt: "" });
      return el("li", {}, picture, el("span", { class: "name" }, shown(file.name)), el("span", { class: "size" }, size(file.bytes)), away);
    }));
  }

  remove(file) {
    if (file.url) URL.revokeObjectURL(file.url);
    this.all = this.all.filter((other) => other !== file);
    this.show();
    find("textarea", this.form).focus();
  }

  clear() {
    for (const { url } of this.all) if (url) URL.revokeObjectURL(url);
    Object.assign(this, { all: [], tried: null });
    this.show();
  }

  /// Sends a message with its files, by HTTP, since a frame of the socket is smaller than they are. All of it stays in
  /// the composer until it is stored. Who tries the same again does so under the same key.
  async send(chat, { id, text, mode, replaces }) {
    if (this.sending) return;
    const here = chat.id;
    const attachments = this.all.map(({ name, media_type, data, text }) => ({ name, media_type, ...(data ? { data } : { text }) }));
    const what = JSON.stringify([here, text, replaces, attachments]);
    if (this.tried?.what !== what) this.tried = { what, id, session: here };
    const { tried } = this;
    this.sending = true;
    this.form.classList.add("sends");
    announce("Sending.");
    try {
      const { agent, model } = here ? {} : chat.choices.ofNew();
      tried.session ??= (await post("/api/v1/sessions", { ...(agent && { agent }) })).id;
      if (model) await chat.house.patch(tried.session, { model });
      const body = { text, attachments, ...(mode && { mode }), ...(replaces && { replaces }) };
      await ask("POST", at(tried.session, "/messages"), body, { "idempotency-key": tried.id });
      chat.house.sessions.refresh();
      if (chat.id !== here) return;
      chat.composer.clear();
      chat.pinned = true;
      if (!here) chat.house.go(`#/s/${tried.session}`);
    } catch (error) {
      if (chat.id === here) this.complain(error.message);
    } finally {
      this.sending = false;
      this.form.classList.remove("sends");
    }
  }
}
