// What this browser keeps: drafts, messages that were not acknowledged yet, the theme. A browser that keeps nothing
// (private windows may not) loses that and nothing else.

const PREFIX = "mosaic.";

export function read(name, otherwise = null) {
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
  } catch {
    // Full or forbidden.
  }
}

/// Forgets all of it: whoever signs in next is someone else.
export function forget() {
  try {
    for (const name of Object.keys(localStorage)) if (name.startsWith(PREFIX) && name !== `${PREFIX}theme`) localStorage.removeItem(name);
  } catch {
    // As above.
  }
}
