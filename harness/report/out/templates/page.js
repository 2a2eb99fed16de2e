"use strict";
// The page reads well without this. It sorts and filters the summary, says at once what a mark stands for, and unfolds
// for the printer. It asks no network for anything.

const POWERS = "⁰¹²³⁴⁵⁶⁷⁸⁹";

function valueOf(row, column) {
  const first = row.cells[column].firstChild;
  const text = first ? first.textContent.trim() : "";
  const found = /^([+−]?)([\d,]+(?:\.\d+)?)(?: × 10(⁻?)([⁰¹²³⁴⁵⁶⁷⁸⁹]+))?$/.exec(text);
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

function fits(row, words) {
  const text = row.textContent.toLowerCase();
  return words.every((word) => (word.startsWith("!") ? !text.includes(word.slice(1)) : text.includes(word)));
}

function makeFilter(section, tables) {
  const box = document.createElement("p");
  box.className = "filter";
  box.innerHTML = '<label>Rows with <input type="search" placeholder="int8 !tflite-runtime"></label> <span role="status"></span>';
  const [input, status] = [box.querySelector("input"), box.querySelector("span")];
  const rows = tables.flatMap((table) => [...table.tBodies[0].rows]);
  input.addEventListener("input", () => {
    const words = input.value.toLowerCase().split(/\s+/).filter((word) => word.replace("!", ""));
    for (const row of rows) row.hidden = !fits(row, words);
    status.textContent = words.length ? `${rows.filter((row) => !row.hidden).length} of ${rows.length} rows` : "";
  });
  section.querySelector("h2").after(box);
}

function makeTips() {
  for (const title of document.querySelectorAll(".chart title")) {
    title.parentNode.dataset.tip = title.textContent;
    title.remove(); // the browser would show it a second time, and late
  }
  const tip = document.createElement("div");
  tip.className = "tip";
  tip.hidden = true;
  document.body.append(tip);
  const show = (event) => {
    const mark = event.target.closest?.("[data-tip]");
    tip.hidden = !mark;
    if (!mark) return;
    tip.textContent = mark.dataset.tip;
    tip.style.left = `${Math.max(8, Math.min(event.clientX + 12, innerWidth - tip.offsetWidth - 8))}px`;
    tip.style.top = `${event.clientY + 16 + tip.offsetHeight < innerHeight ? event.clientY + 16 : event.clientY - tip.offsetHeight - 12}px`;
  };
  document.addEventListener("pointermove", show);
  document.addEventListener("pointerdown", show);
  addEventListener("scroll", () => (tip.hidden = true), { passive: true });
}

const summary = document.querySelector("#summary");
const tables = summary ? [...summary.querySelectorAll("table")].filter((table) => table.tBodies[0].rows.length > 1) : [];
tables.forEach(makeSortable);
if (tables.length) makeFilter(summary, tables);
makeTips();
addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((part) => (part.open = true)));
