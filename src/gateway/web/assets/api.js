// The HTTP API, by the cookie of this browser.

let csrf = "";
let leave = () => {};

/// What a page sends along with what changes something.
export function setCsrf(text) {
  csrf = text;
}

/// Called when the daemon does not know this browser any more.
export function onSignedOut(then) {
  leave = then;
}

/// A refusal of the daemon: `code` for programs, `message` for people.
export class Refused extends Error {
  constructor(status, { code, message, retry_after_ms: wait }) {
    super(message);
    Object.assign(this, { status, code, wait });
  }
}

const UNREACHABLE = { code: "unreachable", message: "Mosaic cannot be reached. See that it runs; this page goes on by itself." };

export async function ask(method, path, body, more = {}) {
  const headers = { ...more };
  if (method !== "GET") headers["x-csrf-token"] = csrf;
  if (body !== undefined) headers["content-type"] = "application/json";
  let answer;
  try {
    answer = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body), cache: "no-store" });
  } catch {
    throw new Refused(0, UNREACHABLE);
  }
  if (answer.status === 204) return null;
  let told;
  try {
    told = await answer.json();
  } catch {
    told = { error: { code: "internal", message: `Mosaic answered ${answer.status} and nothing that can be read.` } };
  }
  if (answer.ok) return told;
  if (answer.status === 401 && path.startsWith("/api/")) leave();
  throw new Refused(answer.status, told.error);
}

/// What is told as plain text.
export async function text(path) {
  let answer;
  try {
    answer = await fetch(path, { cache: "no-store" });
  } catch {
    throw new Refused(0, UNREACHABLE);
  }
  if (!answer.ok) throw new Refused(answer.status, (await answer.json()).error);
  return answer.text();
}

export const get = (path) => ask("GET", path);
export const post = (path, body) => ask("POST", path, body ?? {});

/// The path of a session.
export const session = (id, more = "") => `/api/v1/sessions/${encodeURIComponent(id)}${more}`;
