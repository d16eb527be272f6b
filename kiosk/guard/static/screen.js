// Keeps a lane's screen true: asks for its face, shows it, and says so when nobody answers.
"use strict";

const EVERY_MS = 300;
const GIVE_UP_MS = 1500;
const LOST_MS = 3000;

const { now, page } = document.body.dataset;
let lost = document.getElementById("lost").innerHTML.trim();
let shown = document.getElementById("face").outerHTML;
let heard = performance.now();

function show(html) {
  if (html.trim() === shown) return;
  shown = html.trim();
  const template = document.createElement("template");
  template.innerHTML = shown;
  document.getElementById("face").replaceWith(template.content);
}

async function look() {
  try {
    const answer = await fetch(now, { cache: "no-store", signal: AbortSignal.timeout(GIVE_UP_MS) });
    const told = await answer.json();
    if (told.lost) lost = told.lost;
    if (!answer.ok) throw new Error("the core does not answer");
    heard = performance.now();
    if (told.page !== page) { location.reload(); return; }
    show(told.face);
  } catch {
    if (performance.now() - heard > LOST_MS) show(lost);
  }
  setTimeout(look, EVERY_MS);
}

look();
