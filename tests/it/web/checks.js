// What is wrong with this page for those who cannot see it, or not well. Answers a list of sentences.
(() => {
  const found = [];
  const tell = (what, node) => found.push(`${what}: ${node.outerHTML.slice(0, 160)}`);
  const dialog = document.querySelector("dialog[open]");
  const seen = (node) => node.checkVisibility({ visibilityProperty: true }) && (!dialog || dialog.contains(node));
  const all = (selector) => [...document.querySelectorAll(selector)].filter(seen);
  const text = (node) => (node?.textContent ?? "").trim();

  if (!document.documentElement.lang) found.push("the page has no language");
  if (!document.title) found.push("the page has no title");
  if (document.querySelectorAll("main").length !== 1) found.push("the page has not one main part");
  if (/user-scalable=no|maximum-scale=1/.test(document.querySelector("meta[name=viewport]").content)) found.push("it cannot be made larger");

  const ids = [...document.querySelectorAll("[id]")].map((node) => node.id);
  for (const id of ids) if (ids.filter((other) => other === id).length > 1) found.push(`the id ${id} is there twice`);
  for (const name of ["aria-labelledby", "aria-describedby", "aria-controls", "aria-activedescendant", "for"]) {
    for (const node of all(`[${name}]`)) for (const id of node.getAttribute(name).split(" ")) if (!document.getElementById(id)) tell(`${name} names nothing`, node);
  }

  const name = (node) => node.getAttribute("aria-label") || (node.getAttribute("aria-labelledby") ?? "").split(" ").map((id) => text(document.getElementById(id))).join(" ").trim()
    || [...(node.labels ?? [])].map(text).join(" ").trim() || (["INPUT", "SELECT", "TEXTAREA"].includes(node.tagName) ? "" : text(node)) || node.alt;
  for (const node of all("button, a[href], input:not([type=hidden]), select, textarea, [role=button], [role=option], dialog, summary")) if (!name(node)) tell("it has no name", node);
  for (const node of all("nav, [role=region], [role=listbox]")) if (!node.getAttribute("aria-label")) tell("this part of the page has no name", node);
  for (const node of all("img")) if (!node.hasAttribute("alt")) tell("a picture without words", node);
  for (const node of document.querySelectorAll("svg:not([aria-hidden]):not([role=img])")) tell("a drawing that is neither named nor hidden", node);
  for (const node of all("svg[role=img]")) if (!node.getAttribute("aria-label")) tell("a drawing without a name", node);
  for (const node of all("[tabindex]")) if (node.tabIndex > 0) tell("it jumps the queue", node);
  for (const node of all("ul > :not(li), ol > :not(li)")) tell("no item of its list", node);
  for (const node of all("th")) if (!text(node)) tell("a column without a name", node);
  for (const node of document.querySelectorAll("[aria-hidden=true] :is(a, button, input, select, textarea)")) tell("hidden, and can be reached", node);
  for (const node of all(".scroll, pre")) if (node.scrollWidth > node.clientWidth + 1 && node.tabIndex < 0) tell("it scrolls and cannot be reached", node);

  let level = 0;
  for (const node of all("h1, h2, h3, h4, h5, h6")) {
    const now = Number(node.tagName[1]);
    if (now > level + 1 && level > 0) tell(`a heading of level ${now} after one of level ${level}`, node);
    level = now;
  }

  // Contrast, as WCAG 2 counts it.
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  canvas.canvas.width = canvas.canvas.height = 1;
  const colour = (css) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = css;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = ([r, g, b, a], [x, y, z]) => [r * a + x * (1 - a), g * a + y * (1 - a), b * a + z * (1 - a), 1];
  const light = (rgb) => {
    const [r, g, b] = rgb.slice(0, 3).map((part) => part / 255).map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (node) => {
    const layers = [];
    for (let at = node; at; at = at.parentElement) {
      layers.push(colour(getComputedStyle(at).backgroundColor));
      if (layers.at(-1)[3] === 1) break;
    }
    return layers.reduceRight((under, layer) => over(layer, under), [255, 255, 255, 1]);
  };
  const faded = (node) => {
    for (let at = node; at; at = at.parentElement) if (getComputedStyle(at).opacity < 1) return true;
    return false;
  };
  const words = (node) => [...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim());
  for (const node of all("body *")) {
    if (node.closest("svg, option, noscript, .hidden, :disabled") || !words(node) || faded(node)) continue;
    const style = getComputedStyle(node);
    const back = behind(node);
    const [one, two] = [light(over(colour(style.color), back)), light(back)].sort((a, b) => b - a);
    const ratio = (one + 0.05) / (two + 0.05);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
    if (ratio < (large ? 3 : 4.5)) tell(`contrast ${ratio.toFixed(2)}`, node);
  }
  for (const node of all("button, select, input, a[href]")) {
    const box = node.getBoundingClientRect();
    if (box.width > 0 && !node.closest(".hidden, .skip, .md, p") && !node.classList.contains("skip") && (box.width < 24 || box.height < 24) && !node.labels?.length) tell(`too small to be hit, ${box.width} by ${box.height}`, node);
  }
  return found;
})()
