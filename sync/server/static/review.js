"use strict";
// Keys of the review: j and k go on and back, / finds, and on a case a, c, o and n open a decision whose button Enter
// then presses. One key alone never decides anything.
const rows = [...document.querySelectorAll("#queue tbody tr:has(a)")];
let at = -1;

function select(step) {
  if (!rows.length) return;
  rows[at]?.removeAttribute("aria-selected");
  at = Math.max(0, Math.min(rows.length - 1, at + step));
  rows[at].setAttribute("aria-selected", "true");
  rows[at].querySelector("a").focus();
}

function go(id, step) {
  const link = document.getElementById(id);
  if (link) location.href = link.href;
  else select(step);
}

function find() {
  const field = document.getElementById("find");
  if (field) field.focus();
  else location.href = document.getElementById("back").href + "#find";
}

function open(key) {
  const chosen = document.querySelector(`.decision[data-key="${key}"]`);
  if (!chosen) return false;
  for (const other of document.querySelectorAll(".decision[open]")) if (other !== chosen) other.open = false;
  chosen.open = true;
  (chosen.querySelector("input, textarea") ?? chosen.querySelector("button")).focus();
  chosen.scrollIntoView({ block: "nearest" });
  return true;
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing) return;
  const field = event.target.closest("input:not([type=checkbox]), textarea, select");
  if (event.key === "Escape" && field) field.blur();
  if (field) return;
  if (event.key === "j") go("next", 1);
  else if (event.key === "k") go("previous", -1);
  else if (event.key === "/") find();
  else if (!/^[acon]$/.test(event.key) || !open(event.key)) return;
  event.preventDefault();
});

// Enter in a decision presses that decision's own button, never another one.
document.querySelector("#decide")?.addEventListener("keydown", (event) => {
  const decision = event.target.closest(".decision[open]");
  if (event.key !== "Enter" || event.isComposing || !decision || event.target.closest("textarea, button, summary")) return;
  event.preventDefault();
  decision.querySelector("button").click();
});

if (location.hash === "#find") document.getElementById("find")?.focus();
