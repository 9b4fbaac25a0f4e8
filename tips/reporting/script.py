"""What the page does beyond being read: sort, filter, hide, open chains, copy, switch colours.

The page is whole without it. It is the only script that the page's policy lets run, by its digest;
it asks for nothing, writes text only as text, and keeps nothing but the choice of colours.
"""

import base64
import hashlib
from typing import Final

SCRIPT: Final = r"""
"use strict";
const all = (selector, place = document) => [...place.querySelectorAll(selector)];
const make = (name, values = {}) => Object.assign(document.createElement(name), values);
const tables = all("main table");
const rows = tables.flatMap((table) => all("tbody tr", table));
const seen = (one) => one.getClientRects().length > 0;

// Links inside a table are one stop of the Tab key; arrow keys go from one to the next.
function arrange(table) {
  const links = all("tbody a", table);
  const open = links.filter((link) => !link.closest("tr").hidden);
  const held = open.find((link) => link.tabIndex === 0) ?? open[0];
  for (const link of links) link.tabIndex = link === held ? 0 : -1;
}
function move(event) {
  const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -1, ArrowDown: 1 }[event.key];
  const here = event.target.closest("tbody a");
  if (!step || !here) return;
  const links = all("tbody a", event.currentTarget).filter(seen);
  const kin = event.key.endsWith("p") || event.key.endsWith("n")
    ? links.filter((link) => link.className === here.className) : links;
  const next = kin[kin.indexOf(here) + step];
  event.preventDefault();
  if (!next) return;
  here.tabIndex = -1;
  next.tabIndex = 0;
  next.focus();
}

// A column is sorted upwards, then downwards, then as it was; cells without a value come last.
function value(row, column) {
  const text = row.cells[column]?.textContent.trim() ?? "";
  const number = text.replace(/,/g, "").match(/^[(±<x ]*([+-]?\d+(\.\d+)?)/);
  return { text, number: number ? parseFloat(number[1]) : NaN };
}
function compare(a, b, numeric, sign) {
  const words = () => a.text.localeCompare(b.text, "en", { numeric: true });
  if (!numeric) return !a.text - !b.text || sign * words();
  const lost = Number.isNaN(a.number) - Number.isNaN(b.number);
  return lost || (Number.isNaN(a.number) ? 0 : sign * (a.number - b.number));
}
function sort(table, head) {
  const column = head.cellIndex;
  const next = { none: "ascending", ascending: "descending", descending: "none" };
  const order = next[head.getAttribute("aria-sort") ?? "none"];
  for (const other of all("th", table)) other.setAttribute("aria-sort", "none");
  head.setAttribute("aria-sort", order);
  const body = table.tBodies[0];
  const listed = [...body.rows].sort((a, b) => a.place - b.place);
  if (order !== "none") {
    const values = new Map(listed.map((row) => [row, value(row, column)]));
    const filled = [...values.values()].filter((one) => one.text);
    const numeric = filled.filter((one) => !Number.isNaN(one.number)).length > filled.length / 2;
    const sign = order === "ascending" ? 1 : -1;
    listed.sort((a, b) => compare(values.get(a), values.get(b), numeric, sign));
  }
  body.append(...listed);
}

// A row is hidden if it lacks a word of the filter, or if all its verdicts are open.
const OPEN = new Set(["undecided", "unknown", "not separable"]);
const filter = document.getElementById("filter");
const decided = document.getElementById("decided");
const count = document.getElementById("count");
function undecided(row) {
  const verdicts = all(".verdict", row).map((one) => one.textContent);
  return verdicts.length > 0 && verdicts.every((one) => OPEN.has(one));
}
function choose() {
  const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
  let left = 0;
  for (const row of rows) {
    const text = row.textContent.toLowerCase();
    row.hidden = !words.every((word) => text.includes(word)) || (decided.checked && undecided(row));
    left += !row.hidden;
  }
  for (const table of tables) {
    const kept = [...table.tBodies[0].rows].some((row) => !row.hidden);
    table.closest(".scroll").classList.toggle("empty", !kept);
    arrange(table);
    const folded = table.closest("details");
    if (!folded) continue;
    if (words.length && kept && !folded.open) folded.open = folded.opened = true;
    if (!words.length && folded.opened) folded.open = folded.opened = false;
  }
  count.textContent = left === rows.length ? `${left} rows` : `${left} of ${rows.length} rows`;
}

// The chain behind a cell, in a window over the page.
const chain = document.getElementById("chain");
const command = chain.querySelector("code");
const copied = chain.querySelector("output");
function open(link) {
  const name = decodeURIComponent(link.hash.slice(1));
  const source = document.getElementById(name)?.closest("details");
  if (!source) return false;
  const usual = source.querySelector("code").textContent;
  const cell = link.title;
  chain.querySelector("h2").textContent = `${cell || name.slice(4)}: ${link.textContent}`;
  command.textContent = cell ? usual.replace(/^tips why \S+/, `tips why "${cell}"`) : usual;
  chain.querySelector("pre").textContent = source.querySelector("pre").textContent;
  copied.textContent = "";
  chain.showModal();
  return true;
}
async function copy() {
  try {
    await navigator.clipboard.writeText(command.textContent);
    copied.textContent = "copied";
  } catch {
    getSelection().selectAllChildren(command);
    copied.textContent = "marked: copy it with Ctrl+C";
  }
}

// Colours: those of the system, until the reader chooses.
const dark = document.getElementById("dark");
const system = matchMedia("(prefers-color-scheme: dark)");
function colours(chosen) {
  if (chosen) document.documentElement.dataset.colours = chosen;
  dark.ariaPressed = String(chosen ? chosen === "dark" : system.matches);
}
function kept(value) {
  try {
    if (value) localStorage.setItem("colours", value);
    return localStorage.getItem("colours");
  } catch {
    return value; // a browser that keeps nothing
  }
}

for (const table of tables) {
  [...table.tBodies[0].rows].forEach((row, place) => { row.place = place; });
  for (const head of all("th", table)) {
    if (!head.textContent.trim()) head.ariaLabel = "row";
    const button = make("button", { type: "button" });
    button.append(...head.childNodes);
    if (!button.textContent.trim()) button.ariaLabel = "sort by row";
    head.append(button);
    head.setAttribute("aria-sort", "none");
    button.addEventListener("click", () => sort(table, head));
  }
  table.addEventListener("keydown", move);
}
for (const place of all("main :is(h2, h3, tr, figure)[id]")) {
  const sign = make("a", { className: "sign", href: `#${place.id}`, ariaLabel: "link to here" });
  if (place.cells) place.cells[0].prepend(sign);
  else (place.querySelector("figcaption") ?? place).append(sign);
}
document.querySelector("main").addEventListener("click", (event) => {
  const link = event.target.closest('td a[href^="#why-"]');
  if (link && !event.ctrlKey && !event.metaKey && open(link)) event.preventDefault();
});
chain.querySelector(".copy").addEventListener("click", copy);
chain.addEventListener("click", (event) => { if (event.target === chain) chain.close(); });
filter.addEventListener("input", choose);
decided.addEventListener("change", choose);
dark.addEventListener("click", () => colours(kept(dark.ariaPressed === "true" ? "light" : "dark")));
system.addEventListener("change", () => colours(document.documentElement.dataset.colours));
addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.target.closest("input, dialog")) return;
  event.preventDefault();
  filter.focus();
});
addEventListener("hashchange", () => {
  const place = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!place?.hidden) return;
  filter.value = "";
  decided.checked = false;
  choose();
  place.scrollIntoView();
});
colours(kept());
choose();
document.documentElement.classList.add("working");
"""


def digest() -> str:
    """Computes what the page's policy calls the script: its sha256 in base64."""
    return "sha256-" + base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode("ascii")
