"use strict";
// The desk: a scan always lands in its field, the button says how many cards, and a code for a phone counts down. The
// pages do all of it without this file, too.

const scan = document.querySelector("[data-scan]");

function writes(element) {
  return element instanceof HTMLElement && element.matches("input:not([type=checkbox]):not([type=radio]), textarea, select");
}

if (scan) {
  scan.focus();
  document.addEventListener("keydown", (event) => {
    const typed = event.key.length === 1 && event.key !== " " && !event.ctrlKey && !event.metaKey && !event.altKey;
    if (typed && !writes(document.activeElement)) scan.focus();
  });
}

const count = document.querySelector("[data-count]");
const cards = [...document.querySelectorAll("#desk input[name=card]")];

function recount() {
  const ticked = cards.filter((card) => card.checked).length;
  count.textContent = String(ticked);
  count.closest("button").disabled = ticked === 0;
}

if (count) {
  for (const card of cards) card.addEventListener("change", recount);
  recount();
}

for (const field of document.querySelectorAll("[data-picks]")) {
  const choice = document.querySelector(`input[name=collector][value="${field.dataset.picks}"]`);
  field.addEventListener("input", () => { choice.checked = true; });
}

const activation = document.getElementById("activation");

if (activation) {
  const ends = performance.now() + Number(activation.dataset.seconds) * 1000;
  const left = activation.querySelector("[data-left]");
  left.hidden = false;

  const finish = (what) => {
    activation.hidden = true;
    document.querySelector(what).hidden = false;
  };

  const tick = () => {
    const seconds = Math.max(0, Math.ceil((ends - performance.now()) / 1000));
    left.lastElementChild.textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
    if (seconds === 0) finish("[data-over]");
    else if (!activation.hidden) setTimeout(tick, 500);
  };

  const ask = async () => {
    try {
      const answer = await fetch(`${activation.dataset.used}?since=${activation.dataset.since}`, { cache: "no-store" });
      if (answer.ok && (await answer.json()).used) finish("[data-done]");
    } catch { /* the centre is away for a moment: ask again */ }
    if (!activation.hidden) setTimeout(ask, 2000);
  };

  tick();
  ask();
}
