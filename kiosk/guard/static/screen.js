// Keeps a lane's screen true: is told its face as it changes, asks for it where nobody tells, and says so when nobody
// answers. Written for old browsers, as post.js is.
"use strict";

const EVERY_MS = 300;
const GIVE_UP_MS = 1500;
const LOST_MS = 3000;
const STREAM_MS = 2500;
const LATE_MS = 2000;
const COMPARE_MS = 20000;
const AGAIN_MS = 30000;

const now = document.body.getAttribute("data-now");
const page = document.body.getAttribute("data-page");
let lost = document.getElementById("lost").innerHTML.trim();
let shown = document.getElementById("face").outerHTML;
let heard = performance.now();
let streamed = -STREAM_MS;
let asked = -COMPARE_MS;
let asking = false;
let doubted = false;
let newest = -1;
let life = "";
let compared = false;
let ahead = 0;
window.postTicks = 0;

function show(html) {
  if (html.trim() === shown) return;
  shown = html.trim();
  const template = document.createElement("template");
  template.innerHTML = shown;
  const face = document.getElementById("face");
  face.parentNode.replaceChild(template.content, face);
  fit();
  if (window.sound) window.sound();
}

// Words of a compound's own may be long: they get smaller until they fit.
function fit() {
  const style = document.documentElement.style;
  for (let percent = 100; percent >= 50; percent -= 5) {
    style.setProperty("--fit", String(percent / 100));
    const words = document.querySelector("#face .words");
    if (words.scrollHeight <= words.clientHeight && words.scrollWidth <= words.clientWidth) return;
  }
}

// Stream and answers may overtake each other: what the gate said before counts for nothing after.
function take(told) {
  if (told.life === life && told.order < newest) return;
  life = told.life;
  newest = told.order;
  if (told.lost) lost = told.lost;
  if (!told.answers) return;
  heard = performance.now();
  if (told.page !== page) { location.reload(); return; }
  if (told.face) show(told.face);
}

// An answer to a question is fresh, since it came in time. It says, too, how far the gate's clock is ahead of ours.
function ask() {
  asking = true;
  asked = performance.now();
  const request = new XMLHttpRequest();
  request.open("GET", now + (now.indexOf("?") < 0 ? "?" : "&") + "_=" + Date.now());
  request.timeout = GIVE_UP_MS;
  request.onloadend = () => {
    asking = false;
    let told = {};
    try { told = JSON.parse(request.responseText); } catch (err) { told = {}; }
    if (!told.at) return;
    doubted = false;
    compared = true;
    ahead = told.at - performance.now();
    take(told);
  };
  request.send();
}

// A stream may be held up on its way: what it says late counts for nothing, and we ask.
function hear(event) {
  const told = JSON.parse(event.data);
  if (!compared || performance.now() + ahead - told.at > LATE_MS) { doubted = true; return; }
  streamed = performance.now();
  take(told);
}

function listen() {
  if (!window.EventSource) return;
  const stream = new EventSource(document.body.getAttribute("data-stream"));
  stream.addEventListener("face", hear);
  stream.addEventListener("beat", hear);
  stream.onerror = () => {
    streamed = -STREAM_MS;
    if (stream.readyState === 2) setTimeout(listen, AGAIN_MS);
  };
}

function tick() {
  const ms = performance.now();
  window.postTicks += 1;
  if (ms - heard > LOST_MS) show(lost);
  if (!asking && (doubted || ms - streamed > STREAM_MS || ms - asked > COMPARE_MS)) ask();
  setTimeout(tick, EVERY_MS);
}

window.addEventListener("resize", fit);
fit();
tick();
listen();
