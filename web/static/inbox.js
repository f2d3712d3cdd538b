/* The inbox by keyboard, and how many are ticked. Without it everything works by links, checkboxes and buttons. */
"use strict";

(() => {
  const ROWS = "#found tbody tr";
  const boxes = () => [...document.querySelectorAll('#found input[name="id"]')];

  function tell() {
    const all = boxes();
    if (!all.length) return;
    const ticked = all.filter((box) => box.checked).length;
    document.getElementById("ticked").textContent = ticked ? `${ticked} ticked` : "";
    const link = document.querySelector("[data-tick-all]");
    link.textContent = ticked === all.length ? "Untick all" : `Tick all ${all.length} on this page that you may decide on`;
    document.querySelector("[data-keys]").hidden = false;
  }

  function move(row, step) {
    const rows = [...document.querySelectorAll(ROWS)];
    const next = rows[rows.indexOf(row) + step];
    if (next) next.querySelector("a.whole").focus();
  }

  // Only while something in the list has the focus: a single letter must mean nothing to who dictates or types.
  document.addEventListener("keydown", (event) => {
    const row = event.target.closest(ROWS);
    if (!row || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "j") move(row, 1);
    else if (event.key === "k") move(row, -1);
    else if (event.key === "x") row.querySelector('input[name="id"]')?.click();
    else return;
    event.preventDefault();
  });

  document.addEventListener("click", (event) => {
    const link = event.target.closest("[data-tick-all]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    const all = boxes();
    const tick = all.some((box) => !box.checked);
    for (const box of all) box.checked = tick;
    tell();
  });

  document.addEventListener("change", (event) => {
    if (event.target.matches('#found input[name="id"]')) tell();
  });
  // A list that is found anew while one ticks keeps what was ticked and is still in it.
  let kept = [];
  document.addEventListener("htmx:beforeSwap", () => {
    kept = boxes().filter((box) => box.checked).map((box) => box.value);
  });
  document.addEventListener("htmx:afterSettle", () => {
    for (const box of boxes()) if (kept.includes(box.value)) box.checked = true;
    tell();
  });
  window.addEventListener("pageshow", tell); // the browser ticks again what was ticked when one comes back
  tell();
})();
