// What this browser keeps: drafts, messages that were not acknowledged yet, the theme. Where it keeps nothing (private
// windows may not) this page does, for as long as it is open.

const PREFIX = "mosaic.";

const here = new Map();

export function read(name, otherwise = null) {
  if (here.has(name)) return here.get(name);
  try {
    const text = localStorage.getItem(PREFIX + name);
    return text === null ? otherwise : JSON.parse(text);
  } catch {
    return otherwise;
  }
}

export function keep(name, value) {
  try {
    if (value === null || value === undefined || value === "") localStorage.removeItem(PREFIX + name);
    else localStorage.setItem(PREFIX + name, JSON.stringify(value));
    here.delete(name);
  } catch {
    // Full or forbidden.
    here.set(name, value);
  }
}

/// Forgets all of it: whoever signs in next is someone else.
export function forget() {
  here.clear();
  try {
    for (const name of Object.keys(localStorage)) if (name.startsWith(PREFIX) && name !== `${PREFIX}theme`) localStorage.removeItem(name);
  } catch {
    // As above.
  }
}
