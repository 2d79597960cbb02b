"use strict";
document.documentElement.classList.add("scripted");

// One goal is shown, everywhere on the page.
const goal = document.getElementById("goal");
goal?.addEventListener("change", () => {
  for (const part of document.querySelectorAll("[data-goal]")) {
    part.hidden = part.dataset.goal !== goal.value;
  }
  hideTooltip();
});

// A figure's axes: logarithmic or linear.
for (const button of document.querySelectorAll("button.axes")) {
  button.addEventListener("click", () => {
    const [logarithmic, linear] = button.parentElement.querySelectorAll(".axes-0, .axes-1");
    logarithmic.hidden = !logarithmic.hidden;
    linear.hidden = !logarithmic.hidden;
    button.textContent = linear.hidden ? "linear axes" : "logarithmic axes";
    hideTooltip();
  });
}

// Points tell what they are under a pointer, a finger and the keyboard. A title would show a second
// tooltip of the browser's own, so its text moves into a label.
const tooltip = document.getElementById("tooltip");
let shown = null;

function showTooltip(hit) {
  hideTooltip();
  shown = hit;
  hit.classList.add("shown");
  tooltip.textContent = hit.getAttribute("aria-label");
  tooltip.hidden = false;
  placeTooltip();
}

// Beside its point, within the window. The point may move: focusing it may scroll the page.
function placeTooltip() {
  if (!shown) return;
  const point = shown.getBoundingClientRect();
  const box = tooltip.getBoundingClientRect();
  const gap = 8;
  const left = point.left + point.width / 2 - box.width / 2;
  const above = point.top - box.height - gap;
  const last = document.documentElement.clientWidth - box.width - gap;
  tooltip.style.left = Math.max(gap, Math.min(left, last)) + "px";
  tooltip.style.top = (above >= gap ? above : point.bottom + gap) + "px";
}

function hideTooltip() {
  shown?.classList.remove("shown");
  shown = null;
  tooltip.hidden = true;
}

for (const drawing of document.querySelectorAll("svg")) {
  const hits = [...drawing.querySelectorAll(".hit")];
  hits.forEach((hit, index) => {
    const title = hit.querySelector("title");
    hit.setAttribute("aria-label", title.textContent);
    hit.setAttribute("role", "img");
    // The tab key goes from figure to figure, arrows from point to point.
    hit.setAttribute("tabindex", index === 0 ? "0" : "-1");
    title.remove();
  });
  drawing.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    const next = step && hits[hits.indexOf(event.target) + step];
    if (next) {
      event.preventDefault();
      event.target.setAttribute("tabindex", "-1");
      next.setAttribute("tabindex", "0");
      next.focus();
    }
  });
}

for (const kind of ["pointerover", "focusin", "click"]) {
  document.addEventListener(kind, (event) => {
    const hit = event.target.closest?.(".hit");
    if (hit) showTooltip(hit);
    else if (kind !== "focusin") hideTooltip();
  });
}
document.addEventListener("keydown", (event) => { if (event.key === "Escape") hideTooltip(); });
document.addEventListener("scroll", placeTooltip, { capture: true, passive: true });

// A click on a column's heading sorts by it; cells that are no numbers come last.
function sortKey(text) {
  const number = Number(text.replaceAll(",", ""));
  return text.trim() === "" || Number.isNaN(number) ? null : number;
}

function compare(a, b) {
  const [x, y] = [sortKey(a), sortKey(b)];
  if (x !== null && y !== null) return x - y;
  if (x !== null) return -1;
  if (y !== null) return 1;
  return a.localeCompare(b);
}

for (const head of document.querySelectorAll("thead th")) {
  head.setAttribute("aria-sort", "none");
  head.tabIndex = 0;
  const sort = () => {
    const descends = head.getAttribute("aria-sort") === "ascending";
    for (const other of head.parentElement.children) other.setAttribute("aria-sort", "none");
    head.setAttribute("aria-sort", descends ? "descending" : "ascending");
    const body = head.closest("table").tBodies[0];
    const cell = (row) => row.children[head.cellIndex].textContent;
    const isLast = (row) => cell(row) === "–";
    const rows = [...body.rows].sort((a, b) =>
      isLast(a) - isLast(b) || (descends ? -1 : 1) * compare(cell(a), cell(b)));
    body.append(...rows);
  };
  head.addEventListener("click", sort);
  head.addEventListener("keydown", (event) => {
    if (event.key === "Enter" || event.key === " ") { event.preventDefault(); sort(); }
  });
}
