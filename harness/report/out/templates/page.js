"use strict";
// The page reads well without this. It sorts and filters the tables of rows, says at once what a mark of a chart stands
// for, with the sample behind it, and unfolds for the printer. It asks no network for anything.

const POWERS = "⁰¹²³⁴⁵⁶⁷⁸⁹";

function valueOf(row, column) {
  const first = row.cells[column].firstChild;
  const text = first ? first.textContent.trim() : "";
  const found = /^([+−]?)([\d,]+(?:\.\d+)?)(?: × 10(⁻?)([⁰¹²³⁴⁵⁶⁷⁸⁹]+))?( \D*)?$/.exec(text);
  if (!found) return text === "–" || text === "" ? null : text;
  const [, sign, digits, below, power] = found;
  const exponent = power ? [...power].map((letter) => POWERS.indexOf(letter)).join("") : "0";
  return Number(`${sign === "−" ? "-" : ""}${digits.replaceAll(",", "")}e${below ? "-" : ""}${exponent}`);
}

function compare(a, b) {
  return typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b));
}

function sort(table, heading) {
  const rising = heading.getAttribute("aria-sort") !== "ascending";
  for (const other of heading.parentNode.cells) other.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", rising ? "ascending" : "descending");
  const rows = [...table.tBodies[0].rows].map((row) => [row, valueOf(row, heading.cellIndex)]);
  const known = rows.filter(([, value]) => value !== null).sort(([, a], [, b]) => (rising ? compare(a, b) : compare(b, a)));
  const unknown = rows.filter(([, value]) => value === null); // always last
  table.tBodies[0].append(...known.concat(unknown).map(([row]) => row));
}

function makeSortable(table) {
  for (const heading of table.tHead.rows[0].cells) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    button.addEventListener("click", () => sort(table, heading));
    heading.append(button);
  }
}

// --- which rows are shown ------------------------------------------------------------------------------------------

function placeOf(row) {
  const table = row.closest("table");
  const titles = [...table.tHead.rows[0].cells].map((heading) => heading.firstChild.textContent.trim());
  const said = (title) => row.cells[titles.indexOf(title)]?.textContent.trim();
  const target = said("Target") || table.closest("[data-target]")?.dataset.target || "";
  return { variant: said("Variant") || "", target, runtime: said("Runtime") || "" };
}

function fits(row, words) {
  const text = `${row.textContent} ${placeOf(row).target}`.toLowerCase();
  return words.every((word) => (word.startsWith("!") ? !text.includes(word.slice(1)) : text.includes(word)));
}

const KINDS = ["variant", "target", "runtime"]; // of what a row is

function fade(rows) {
  const places = rows.map(placeOf);
  const known = KINDS.map((kind) => new Set(places.map((place) => place[kind])));
  const left = places.filter((_, n) => !rows[n].hidden);
  const isLeft = (said) => left.some((place) => KINDS.every((kind, n) => !said[n].length || said[n].includes(place[kind])));
  for (const mark of document.querySelectorAll("[data-tip]")) {
    const names = namesOf(mark);
    mark.classList.toggle("faded", !isLeft(known.map((of) => names.filter((name) => of.has(name)))));
  }
  for (const panel of document.querySelectorAll("[data-of-variant], [data-of-target], [data-of-runtime]")) {
    panel.classList.toggle("faded", !isLeft(KINDS.map((kind) => [panel.getAttribute(`data-of-${kind}`) ?? []].flat())));
  }
}

function namesOf(mark) {
  const words = mark.dataset.tip.match(/[A-Za-z0-9][\w.-]*/g) ?? []; // what a target's name may be: pi5 does not name pi
  return words.flatMap((word) => [word, word.replace(/\.$/, "")]); // the last may end a sentence
}

function choice(title, names) {
  const label = document.createElement("label");
  const select = document.createElement("select");
  select.append(new Option(`every ${title}`, ""), ...names.map((name) => new Option(name, name)));
  select.setAttribute("aria-label", title);
  label.append(select);
  return label;
}

function makeFilter(section, tables) {
  const rows = tables.flatMap((table) => [...table.tBodies[0].rows]).filter((row) => placeOf(row).runtime); // not Keras
  const box = document.createElement("p");
  box.className = "filter";
  box.innerHTML = '<label>Rows with <input type="search" placeholder="int8 !float16"></label> <span role="status"></span>';
  const [input, status] = [box.querySelector("input"), box.querySelector("span")];
  const choices = ["target", "runtime"].flatMap((kind) => {
    const names = [...new Set(rows.map((row) => placeOf(row)[kind]).filter(Boolean))];
    if (names.length < 2) return [];
    const label = choice(kind, names);
    status.before(label, " ");
    return [{ kind, names, select: label.firstChild }];
  });
  const apply = () => {
    const words = input.value.toLowerCase().split(/\s+/).filter((word) => word.replace("!", ""));
    const chosen = choices.filter(({ select }) => select.value);
    const stays = (row) => fits(row, words) && chosen.every(({ kind, select }) => placeOf(row)[kind] === select.value);
    for (const row of rows) row.hidden = !stays(row);
    for (const part of document.querySelectorAll("[data-target]")) part.hidden = ![...part.querySelectorAll("tr")].some((row) => row.closest("tbody") && !row.hidden && placeOf(row).runtime);
    fade(rows);
    const own = rows.filter((row) => section.contains(row));
    status.textContent = words.length || chosen.length ? `${own.filter((row) => !row.hidden).length} of ${own.length} rows` : "";
  };
  box.addEventListener("input", apply);
  section.querySelector("h2").after(box);
}

// --- what a mark of a chart stands for -------------------------------------------------------------------------------

const tip = document.createElement("div");
tip.className = "tip";
tip.setAttribute("role", "status");
tip.hidden = true;
let shown = null;

function sampleOf(mark) {
  if (!mark?.dataset.sample) return null;
  const place = mark.closest("[data-place]")?.dataset.place; // of an output that is not scored
  return document.getElementById(`sample-${mark.dataset.sample}${place ? `-output-${place}` : ""}`);
}

function show(mark, x, y) {
  if (shown !== mark) {
    shown?.classList.remove("chosen");
    shown = mark;
    mark?.classList.add("chosen");
    tip.hidden = !mark;
    const sample = sampleOf(mark);
    const said = document.createElement("p");
    said.textContent = mark?.dataset.tip ?? "";
    tip.replaceChildren(said, ...(sample ? [...sample.cloneNode(true).childNodes] : []));
  }
  if (!mark) return;
  tip.style.left = `${Math.max(8, Math.min(x + 12, innerWidth - tip.offsetWidth - 8))}px`;
  tip.style.top = `${Math.max(8, y + 16 + tip.offsetHeight < innerHeight ? y + 16 : y - tip.offsetHeight - 12)}px`;
}

function hide() {
  show(null);
}

function go(mark) {
  const sample = sampleOf(mark);
  if (sample) location.hash = sample.id;
}

function unfoldTarget() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!target) return;
  for (let part = target.closest("details"); part; part = part.parentNode.closest("details")) part.open = true;
  hide();
  target.scrollIntoView();
  if (target.matches("[tabindex]")) target.focus();
}

function walk(chart, event) {
  const marks = [...chart.querySelectorAll("[data-tip]:not(.faded, .faded *)")];
  const now = marks.indexOf(shown);
  const next = { ArrowRight: now + 1, ArrowDown: now + 1, ArrowLeft: now - 1, ArrowUp: now - 1, Home: 0, End: marks.length - 1 }[event.key];
  if (event.key === "Enter") go(shown);
  if (event.key === "Escape") hide();
  if (next === undefined || event.ctrlKey || event.altKey || event.metaKey) return;
  event.preventDefault();
  const mark = marks[Math.max(0, Math.min(next, marks.length - 1))];
  mark.scrollIntoView({ block: "nearest" });
  const place = mark.getBoundingClientRect();
  show(mark, place.x + place.width / 2, place.y + place.height / 2);
}

function makeTips() {
  for (const title of document.querySelectorAll(".chart title")) {
    title.parentNode.dataset.tip = title.textContent;
    title.remove(); // the browser would show it a second time, and late
  }
  for (const chart of document.querySelectorAll(".chart")) {
    if (!chart.querySelector("[data-tip]")) continue;
    chart.tabIndex = 0;
    chart.setAttribute("role", "application");
    chart.setAttribute("aria-label", `${chart.getAttribute("aria-label")} The arrow keys go from mark to mark.`);
    chart.addEventListener("keydown", (event) => walk(chart, event));
    chart.addEventListener("blur", hide);
  }
  document.body.append(tip);
  const point = (event) => show(event.target.closest?.("[data-tip]"), event.clientX, event.clientY);
  let before = null; // a first tap shows the sample, a second one goes there
  document.addEventListener("pointermove", (event) => event.pointerType === "mouse" && point(event));
  document.addEventListener("pointerdown", (event) => ((before = shown), point(event)));
  document.addEventListener("click", (event) => shown && before === shown && go(event.target.closest?.("[data-tip]")));
  document.addEventListener("wheel", hide, { passive: true });
  document.addEventListener("touchmove", hide, { passive: true });
}

const ofRows = [...document.querySelectorAll("main table")].filter((table) => [...table.tBodies[0].rows].some((row) => placeOf(row).runtime));
const summary = document.querySelector("#summary");
document.querySelectorAll("main table").forEach((table) => table.tBodies[0].rows.length > 1 && makeSortable(table));
if (summary && ofRows.length) makeFilter(summary, ofRows.filter((table) => !table.closest("#sample")));
makeTips();
addEventListener("hashchange", unfoldTarget);
unfoldTarget();
addEventListener("beforeprint", () => document.querySelectorAll("section > details").forEach((part) => (part.open = true)));
