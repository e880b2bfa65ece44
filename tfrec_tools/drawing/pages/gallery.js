"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const PER_PAGE = 200, LETTER_PX = 11.5, LARGE_LETTER_PX = 14, DOT_PX = 2.5;
const pick = id => document.getElementById(id), svgSpace = "http://www.w3.org/2000/svg";
const filters = ["text", "class", "kind", "issue", "split", "size"];
let wanted = {}, matching = [], page = 0, zoomed = -1;

function make(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}
function draw(tag, attributes, ...children) {
  const node = document.createElementNS(svgSpace, tag);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

// A box is [class, 1 where it is faulty + 2 * (0 small, 1 medium, 2 large) + 8 * its kind, x, y, width, height, what is said of it,
// weight, its keypoints]; without a place where it has none.
const isFaulty = box => box[1] & 1, sizeOf = box => box[1] >> 1 & 3, kindOf = box => data.kinds[box[1] >> 3];
const isWanted = box => (wanted.class === "" || data.classes[box[0]][0] === wanted.class) &&
  (wanted.kind === "" || kindOf(box) === wanted.kind) &&
  (wanted.size === "" || sizeOf(box) === Number(wanted.size));

function outlined(card, box) {
  const [at, , x, y, width, height, , weight = 1, points = []] = box;
  const stroke = isFaulty(box) ? data.fault : data.classes[at][1], group = draw("g", { stroke });
  mark(group, box, weight);
  group.append(draw("rect", { x, y, width, height }));
  for (const [cx, cy] of points) group.append(draw("circle", { cx, cy, fill: stroke, "stroke-width": 0 }));
  return group;
}

function mark(group, box, weight) {
  group.classList.toggle("bad", Boolean(isFaulty(box)));
  group.classList.toggle("doubt", weight === 0);
  group.classList.toggle("dim", !isWanted(box));
}

// A label is placed by `fit`, as only that knows how large the image is shown.
function labelled(box) {
  const [at, , x, y, , , note = "", weight = 1] = box, [name, colour, ink] = data.classes[at];
  const group = draw("g", { "class": "label", "data-x": x, "data-y": y, "data-text": name + note });
  mark(group, box, weight);
  group.append(draw("rect", { fill: isFaulty(box) ? data.fault : colour }), draw("text", { fill: isFaulty(box) ? "#fff" : ink }));
  return group;
}

function frame(card, source, letterPx) {
  const [width, height] = card.thumb, drawn = card.boxes.filter(box => box.length > 2);
  const image = make("img", { alt: "", src: source, loading: "lazy", decoding: "async" });
  const svg = draw("svg", { viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true", "data-letters": letterPx });
  const named = drawn.filter(box => box[7] !== 0 || letterPx === LARGE_LETTER_PX);  // those in doubt are many
  svg.append(...drawn.map(box => outlined(card, box)), ...named.map(labelled));
  const around = make("div", { class: "frame" }, image, svg);
  around.style.setProperty("--shape", width / height);
  around.style.setProperty("--px", card.size ? card.size[0] : width);
  return around;
}

// Letters and dots are as large in a small image as in a large one; labels lie above their boxes, within the image. Where
// they would lie on one another in a small image, the lower ones are left out.
function fit(within) {
  const all = [...within.querySelectorAll(".frame svg")];
  const scales = all.map(svg => svg.viewBox.baseVal.width / (svg.clientWidth || 1));
  all.forEach((svg, i) => {
    const letter = svg.dataset.letters * scales[i], { width, height } = svg.viewBox.baseVal;
    svg.style.fontSize = `${letter}px`;
    for (const dot of svg.querySelectorAll("circle")) dot.setAttribute("r", DOT_PX * scales[i]);
    const isSmall = Number(svg.dataset.letters) === LETTER_PX, shown = [];
    for (const label of [...svg.querySelectorAll(".label")].reverse()) {
      const at = place(label, letter, width, height), isHidden = isSmall && shown.some(other => overlap(at, other));
      label.setAttribute("visibility", isHidden ? "hidden" : "visible");
      if (!isHidden) shown.push(at);
    }
  });
}

function place(label, letter, width, height) {
  const [back, text] = label.children, pad = 0.3 * letter, high = 1.35 * letter;
  const said = fitting(label.dataset.text, (width - 2 * pad) / letter), long = ems(said) * letter + 2 * pad;
  const left = Number(label.dataset.x), top = Number(label.dataset.y);
  const x = Math.max(0, Math.min(left, width - long));
  const y = Math.max(0, Math.min(top >= high ? top - high : top, height - high));
  const at = { x, y, width: long, height: high };
  for (const [key, value] of Object.entries(at)) back.setAttribute(key, value);
  text.setAttribute("x", x + pad);
  text.setAttribute("y", y + letter);
  text.textContent = said;
  return at;
}

const overlap = (a, b) => a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;

const ruler = document.createElement("canvas").getContext("2d"), lengths = new Map();
ruler.font = '600 100px system-ui, "Segoe UI", "Noto Sans", sans-serif';
function ems(text) {
  if (!lengths.has(text)) lengths.set(text, ruler.measureText(text).width / 100);
  return lengths.get(text);
}
function fitting(text, most) {
  if (ems(text) <= most) return text;
  const letters = [...text].slice(0, 400);
  let keep = letters.length;
  while (keep > 1 && ems(letters.slice(0, keep).join("") + "\u2026") > most) keep = Math.floor(keep * 0.9);
  return letters.slice(0, keep).join("") + "\u2026";
}

const plural = (count, word, ending = "s") => `${count.toLocaleString("en")} ${word}${count === 1 ? "" : ending}`;

function caption(card) {
  const size = card.size ? [`${card.size[0]} x ${card.size[1]}`] : [];
  const words = [...size, plural(card.boxes.length, "box", "es"), ...(card.split ? [card.split] : []), card.source];
  const parts = [make("b", {}, card.name), make("small", {}, words.join(", "))];
  if (card.labeled) {
    const said = card.labeled.length > 8 ? plural(card.labeled.length, "class", "es") : card.labeled.join(", ") || "no class";
    parts.push(make("p", {}, make("span", { class: "tag quiet" }, "annotated for"), ` ${said} only`));
  }
  for (const [code, message] of card.issues || [])
    parts.push(make("p", {}, make("span", { class: "tag" }, code), ` ${message}`));
  if (card.more) parts.push(make("p", {}, `and ${card.more} more`));
  return parts;
}

function figure(card, at) {
  const open = make("button", { class: "image", type: "button", "aria-label": `Enlarge ${card.name}` });
  if (card.thumb) {
    open.append(frame(card, card.src, LETTER_PX));
    open.onclick = () => zoom(at);
  } else {
    open.disabled = true;
    open.append(make("span", { class: "lack" }, card.lack));
  }
  return make("figure", {}, open, make("figcaption", {}, ...caption(card)));
}

function isShown(card) {
  return (wanted.text === "" || card.name.toLowerCase().includes(wanted.text)) &&
    (wanted.issue === "" || (card.codes || []).includes(wanted.issue)) &&
    (wanted.split === "" || card.split === wanted.split) &&
    (wanted.class === "" && wanted.kind === "" && wanted.size === "" || card.boxes.some(isWanted));
}

function filter() {
  for (const key of filters) wanted[key] = pick(key).value;
  wanted.text = wanted.text.trim().toLowerCase();
  matching = [...data.cards.keys()].filter(at => isShown(data.cards[at]));
  const said = new URLSearchParams(filters.filter(key => wanted[key]).map(key => [key, wanted[key]])).toString();
  try { history.replaceState(null, "", said ? `#${said}` : location.pathname + location.search) } catch { /* in a frame */ }
  show(0);
}

function show(number) {
  const pages = Math.max(1, Math.ceil(matching.length / PER_PAGE));
  page = Math.min(Math.max(number, 0), pages - 1);
  const first = page * PER_PAGE, chosen = matching.slice(first, first + PER_PAGE);
  pick("grid").replaceChildren(...chosen.map((at, i) => figure(data.cards[at], first + i)));
  fit(pick("grid"));
  const all = data.cards.length, count = matching.length;
  pick("shown").value = count === all ? plural(all, "image") : `${count.toLocaleString("en")} of ${plural(all, "image")}`;
  pick("none").hidden = count > 0 || all === 0;
  pick("pager").hidden = pages === 1;
  pick("page").textContent = `${first + 1} to ${first + chosen.length} of ${count.toLocaleString("en")}`;
  pick("back").disabled = page === 0;
  pick("next").disabled = page === pages - 1;
}

function turn(step) {
  const before = page;
  show(page + step);
  if (page !== before) pick("grid").scrollIntoView({ block: "start" });
}

function zoom(at) {
  const card = data.cards[matching[at]];
  if (!card || !card.thumb) return;
  zoomed = at;
  const large = frame(card, card.original || card.src, LARGE_LETTER_PX), image = large.querySelector("img");
  image.onerror = () => { image.onerror = null; image.src = card.src };  // the original lies there no more
  large.onclick = () => setReal(!isReal());
  pick("large").replaceChildren(large);
  pick("caption").replaceChildren(...caption(card));
  if (!pick("zoom").open) pick("zoom").showModal();
  pick("before").disabled = next(-1) < 0;
  pick("after").disabled = next(1) < 0;
  fit(pick("large"));
}

// Each pixel of the image as one of the screen, to be scrolled, or the whole image.
const isReal = () => pick("large").classList.contains("real");
function setReal(on) {
  pick("large").classList.toggle("real", on);
  pick("real").setAttribute("aria-pressed", on);
  fit(pick("large"));
  if (on) pick("large").focus();
}

function next(step) {
  for (let at = zoomed + step; at >= 0 && at < matching.length; at += step)
    if (data.cards[matching[at]].thumb) return at;
  return -1;
}
function step(by) { if (next(by) >= 0) zoom(next(by)) }
function clear() { for (const key of filters) pick(key).value = ""; filter() }

function fill(id, values) {
  const counts = new Map(values.map(value => [value, 0]));
  const has = { class: card => new Set(card.boxes.map(box => data.classes[box[0]][0])), kind: card => new Set(card.boxes.map(kindOf)), issue: card => card.codes || [], split: card => [card.split] };
  for (const card of data.cards) for (const value of has[id](card)) if (counts.has(value)) counts.set(value, counts.get(value) + 1);
  for (const [value, count] of counts) if (count) pick(id).append(make("option", { value }, `${value} (${count})`));
  pick(id).parentElement.hidden = pick(id).length < 2;
}

fill("class", data.classes.map(([name]) => name).sort((a, b) => a.localeCompare(b)));
fill("kind", data.kinds);
fill("issue", data.codes);
fill("split", data.splits);
const asked = new URLSearchParams(location.hash.slice(1));
for (const key of filters) if (asked.has(key)) pick(key).value = asked.get(key);
for (const key of filters) if (pick(key).selectedIndex === -1) pick(key).value = "";
for (const key of filters) pick(key).addEventListener("input", filter);
pick("back").onclick = () => turn(-1);
pick("next").onclick = () => turn(1);
pick("before").onclick = () => step(-1);
pick("after").onclick = () => step(1);
pick("clear").onclick = clear;
pick("close").onclick = () => pick("zoom").close();
pick("real").onclick = () => setReal(!isReal());
pick("zoom").addEventListener("close", () => setReal(false));
pick("zoom").onclick = event => { if (event.target === pick("zoom")) pick("zoom").close() };
addEventListener("resize", () => { fit(pick("grid")); fit(pick("large")) });
addEventListener("keydown", event => {
  const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName);
  if (event.altKey || event.ctrlKey || event.metaKey) return;
  if (event.key === "Escape") {
    if (pick("zoom").open) pick("zoom").close();
    else { clear(); event.target.blur() }
  }
  if (typing) return;
  const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  const scrolls = isReal() && event.target === pick("large");  // then arrows move the image
  if (by && !scrolls) pick("zoom").open ? step(by) : turn(by);
  if (event.key === "z" && pick("zoom").open) setReal(!isReal());
  if (event.key === "/" && !pick("zoom").open) { event.preventDefault(); pick("text").focus() }
});
filter();
