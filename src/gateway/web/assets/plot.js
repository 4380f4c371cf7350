// Bars over time, drawn as SVG: told in words too, for those who do not see them.

import { el, svg } from "./dom.js";

const WIDTH = 640;
const HEIGHT = 150;
const FOOT = 20;
const HEAD = 16;

/// `bars`: `{ label, value }`, oldest first. `tell` writes a value.
export function plot(title, bars, tell) {
  const most = Math.max(...bars.map((bar) => bar.value), 0);
  const room = HEIGHT - FOOT - HEAD;
  // A few bars are not made wide, but stand at the end, where the present is.
  const places = Math.max(bars.length, 14);
  const step = WIDTH / places;
  const before = places - bars.length;
  const sum = bars.reduce((sum, bar) => sum + bar.value, 0);
  const words = `${title}: ${tell(sum)} in all, at most ${tell(most)}, last ${tell(bars.at(-1)?.value ?? 0)}`;
  const parts = bars.map(({ label, value }, at) => {
    const height = most > 0 ? Math.max(value > 0 ? 2 : 0, (value / most) * room) : 0;
    const bar = svg("rect", { class: "bar-of", x: (before + at) * step + step * 0.12, y: HEIGHT - FOOT - height, width: step * 0.76, height, rx: Math.min(3, step * 0.2) });
    bar.append(svg("title", {}, `${label}: ${tell(value)}`));
    return bar;
  });
  const every = Math.ceil(bars.length / 8);
  // Where there is little room, every second one goes.
  const spare = (at) => ((bars.length - 1 - at) / every) % 2 === 1 ? "spare" : null;
  const labels = bars.flatMap(({ label }, at) =>
    (bars.length - 1 - at) % every === 0 ? [svg("text", { class: spare(at), y: HEIGHT - 5, ...(at === bars.length - 1 ? { x: WIDTH, "text-anchor": "end" } : { x: (before + at + 0.5) * step, "text-anchor": "middle" }) }, label)] : [],
  );
  const line = svg("path", { class: "base", d: `M0 ${HEIGHT - FOOT}H${WIDTH}` });
  const top = svg("text", { x: 0, y: 11 }, most > 0 ? tell(most) : "");
  const drawing = svg("svg", { class: "plot", role: "img", "aria-label": words, viewBox: `0 0 ${WIDTH} ${HEIGHT}` }, line, ...parts, ...labels, top);
  return el("figure", { class: "panel" }, el("figcaption", {}, title), drawing);
}
