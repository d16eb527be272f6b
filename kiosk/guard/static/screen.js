// Keeps a lane's screen true: asks for its face, shows it, and says so when nobody answers. Written for old browsers, as
// post.js is.
"use strict";

const EVERY_MS = 300;
const GIVE_UP_MS = 1500;
const LOST_MS = 3000;

const now = document.body.getAttribute("data-now");
const page = document.body.getAttribute("data-page");
let lost = document.getElementById("lost").innerHTML.trim();
let shown = document.getElementById("face").outerHTML;
let heard = performance.now();

function show(html) {
  if (html.trim() === shown) return;
  shown = html.trim();
  const template = document.createElement("template");
  template.innerHTML = shown;
  const face = document.getElementById("face");
  face.parentNode.replaceChild(template.content, face);
}

function look() {
  const request = new XMLHttpRequest();
  request.open("GET", now + (now.indexOf("?") < 0 ? "?" : "&") + "_=" + Date.now());
  request.timeout = GIVE_UP_MS;
  request.onloadend = () => {
    let told = {};
    try { told = JSON.parse(request.responseText); } catch (err) { told = {}; }
    if (told.lost) lost = told.lost;
    const good = request.status === 200 && told.face;
    if (good) heard = performance.now();
    if (good && told.page !== page) { location.reload(); return; }
    if (good) show(told.face);
    else if (performance.now() - heard > LOST_MS) show(lost);
    setTimeout(look, EVERY_MS);
  };
  request.send();
}

look();
