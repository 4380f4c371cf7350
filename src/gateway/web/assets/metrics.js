// Reads what the daemon tells Prometheus: the same figures, from the same place.

/// `{ name: [{ labels, value }] }`.
export function parse(text) {
  const all = new Map();
  for (const line of text.split("\n")) {
    const [, name, labels = "", value] = /^([a-z_]+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
    if (!name) continue;
    const pairs = [...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, key, text]) => [key, text.replace(/\\(.)/g, "$1")]);
    if (!all.has(name)) all.set(name, []);
    all.get(name).push({ labels: Object.fromEntries(pairs), value: Number(value) });
  }
  return all;
}

const fits = (labels, wish) => Object.entries(wish).every(([key, value]) => labels[key] === value);

export const sum = (all, name, wish = {}) =>
  (all.get(name) ?? []).filter(({ labels }) => fits(labels, wish)).reduce((sum, { value }) => sum + value, 0);

/// The bound below which this part of what was measured lies, in seconds; null: nothing was measured.
export function quantile(all, name, part, wish = {}) {
  const buckets = (all.get(`${name}_bucket`) ?? []).filter(({ labels }) => fits(labels, wish));
  const sums = new Map();
  for (const { labels, value } of buckets) sums.set(labels.le, (sums.get(labels.le) ?? 0) + value);
  const total = sums.get("+Inf") ?? 0;
  if (total === 0) return null;
  const bounds = [...sums].filter(([le]) => le !== "+Inf").map(([le, count]) => [Number(le), count]).sort((a, b) => a[0] - b[0]);
  return (bounds.find(([, count]) => count >= part * total) ?? [Infinity])[0];
}

export const seconds = (value) =>
  value === null ? "–" : value === Infinity ? "over 5 min" : value < 1 ? `≤ ${Number((value * 1_000).toPrecision(3))} ms` : `≤ ${value} s`;

/// A time that was measured.
export const millis = (value) => (value < 1_000 ? `${Number(value.toPrecision(3))} ms` : `${(value / 1_000).toFixed(1)} s`);
