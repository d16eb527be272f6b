// Makes the post live. Every page works without it: forms post, links lead, lists are read again.
// Written for the oldest browsers the README names: no syntax and no functions that came after Chrome 51 or Safari 13.
"use strict";

const SETTLE_MS = 350; // a tap meant for the person before must not fall on the person after
const PRESS_MS = 1000;
const KEPT_LINES = 60;
const MEANT_MS = 2000; // an act that has not come by then is no longer meant, and the page gives it up
const CUT_MS = 5500; // of beats that come every 3 s one may be late; within 6 s a page that hears none says so
const ANEW_MS = 4000;
const SOUND_MS = 10000;
const BEATS = 10;

const byId = (id) => document.getElementById(id);
const all = (selector) => Array.prototype.slice.call(document.querySelectorAll(selector));
const told = (name) => document.body.getAttribute("data-" + name) || "";
let settling = 0;
let toastTimer = 0;

function toast(sentence, ms) {
  const place = byId("toast");
  place.textContent = sentence;
  place.hidden = false;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => { place.hidden = true; }, ms || 5000);
}

function fragment(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  return template.content;
}

function fill(place, html) {
  while (place.firstChild) place.removeChild(place.firstChild);
  place.appendChild(fragment(html));
}

// The gate's clock, as its beats tell it. A beat that was held up says too little, so the greatest of late ones counts:
// what this page takes for now is never later than the gate's own now.

let offsets = [];
let newest = 0;
let newestDate = 0;
let run = "";

function now() {
  return performance.now() + Math.max.apply(null, offsets);
}

function beat(clock) {
  if (clock < newest - 60000) offsets = []; // the device has booted since
  offsets.push(clock - performance.now());
  if (offsets.length > BEATS) offsets.shift();
  if (clock <= newest && offsets.length > 1) return;
  newest = clock;
  newestDate = Date.now() - Math.max(0, now() - clock);
}

function silentMs() {
  return Math.max(now() - newest, Date.now() - newestDate);
}

// What a page is that hears nothing: cut off, or before a gate that does not answer. It offers no acts then.

let state = "new";
let since = 0;
let soundAt = 0;
let audio = null;
const title = document.title;

function show(name) {
  if (name === state) return;
  const place = byId("cut");
  if (state === "live" || state === "new") since = Date.now() - (name === "cut" ? silentMs() : 0);
  state = name;
  const off = name !== "live";
  document.body.classList.toggle("live", !off);
  document.body.classList.toggle("cut", off);
  document.title = off ? "✕ " + told(name) + " · " + title : title;
  place.hidden = !off;
  if (!off) { soundAt = 0; return; }
  fill(place, byId("cut-" + name).innerHTML);
}

function sound() {
  try {
    audio = audio || new (window.AudioContext || window.webkitAudioContext)();
    [0, 0.3].forEach((after) => {
      const tone = audio.createOscillator();
      tone.frequency.value = 440;
      tone.connect(audio.destination);
      tone.start(audio.currentTime + after);
      tone.stop(audio.currentTime + after + 0.2);
    });
  } catch (err) { /* a browser without sound still has the colour and the words */ }
}

function tick() {
  window.postTicks = (window.postTicks || 0) + 1;
  if (!source) return;
  if (silentMs() > CUT_MS) {
    show("cut");
    if (Date.now() - openedAt > ANEW_MS) follow();
  }
  if (state === "live" || state === "new") return;
  const place = document.querySelector("#cut .since");
  if (place) place.textContent = place.getAttribute("data-words").replace("%", Math.round((Date.now() - since) / 1000));
  if (Date.now() - soundAt > SOUND_MS) { soundAt = Date.now(); sound(); }
}

// The stream.

function showLine(html) {
  const line = fragment(html).firstElementChild;
  const lines = byId("lines");
  const old = byId(line.id);
  if (old) {
    lines.replaceChild(line, old);
    return;
  }
  line.classList.add("new");
  lines.insertBefore(line, lines.firstChild);
  byId("nothing").hidden = true;
  while (lines.children.length > KEPT_LINES) lines.removeChild(lines.lastElementChild);
}

function showPanel(html) {
  const place = byId("panel");
  const panel = fragment(html).querySelector(".panel");
  const old = place.querySelector(".panel");
  if (old && panel.getAttribute("data-key") === old.getAttribute("data-key")) return;
  fill(place, html);
  if (panel.classList.contains("waits")) showSheet(""); // somebody waits: reasons can wait, the stream keeps them
  place.classList.add("unsettled");
  clearTimeout(settling);
  settling = setTimeout(() => place.classList.remove("unsettled"), SETTLE_MS);
  const lane = panel.getAttribute("data-lane");
  all(".tool.lane").forEach((tool) => tool.classList.toggle("chosen", tool.getAttribute("data-lane") === lane));
  startCountdown();
}

let countdown = 0;
function startCountdown() {
  clearInterval(countdown);
  const place = document.querySelector(".countdown");
  if (!place) return;
  const end = Date.now() + Number(place.getAttribute("data-left")) * 1000;
  countdown = setInterval(() => {
    const left = Math.max(0, Math.ceil((end - Date.now()) / 1000));
    place.textContent = place.getAttribute("data-words").replace("%", left);
  }, 250);
}

let source = null;
let openedAt = 0;
let lastEvent = told("after");

function follow() {
  if (source) source.close();
  openedAt = Date.now();
  const stream = source = new EventSource(told("stream") + (lastEvent ? "&after=" + encodeURIComponent(lastEvent) : ""));
  const on = (name, act) => stream.addEventListener(name, (event) => {
    if (stream !== source) return;
    if (event.lastEventId) lastEvent = event.lastEventId;
    act(JSON.parse(event.data));
  });
  if (byId("lines")) {
    on("line", showLine);
    on("panel", showPanel);
    on("hint", (html) => fill(byId("hint"), html));
    on("reset", () => { fill(byId("lines"), ""); byId("nothing").hidden = false; });
  }
  on("bar", (html) => { fill(byId("bar"), html); heedCaution(); });
  on("beat", (said) => {
    beat(said.clock);
    run = said.run;
    if (silentMs() <= CUT_MS) { show("live"); askAgain(); }
  });
  on("away", (said) => { beat(said.clock); if (silentMs() <= CUT_MS) show("away"); });
  on("bye", () => { location.assign("/sign-in?why=not_signed_in"); });
}

// Acting without leaving the page.

function mark() {
  const bytes = new Uint8Array(8);
  window.crypto.getRandomValues(bytes);
  return Array.prototype.map.call(bytes, (byte) => ("0" + byte.toString(16)).slice(-2)).join("");
}

function post(path, fields, patienceMs, done) {
  const request = new XMLHttpRequest();
  request.open("POST", path);
  request.timeout = patienceMs;
  request.setRequestHeader("Content-Type", "application/x-www-form-urlencoded");
  request.setRequestHeader("X-Page-Script", "1");
  request.onloadend = () => {
    let answer = null;
    try { answer = request.status && request.status !== 503 ? JSON.parse(request.responseText) : null; } catch (err) { answer = null; }
    done(answer);
  };
  request.send(Object.keys(fields).map((name) => encodeURIComponent(name) + "=" + encodeURIComponent(fields[name])).join("&"));
}

function fieldsOf(form, button) {
  const fields = {};
  Array.prototype.forEach.call(form.elements, (field) => {
    const unset = (field.type === "checkbox" || field.type === "radio") && !field.checked;
    if (field.name && field.tagName !== "BUTTON" && !unset) fields[field.name] = field.value;
  });
  if (button.name) fields[button.name] = button.value;
  return fields;
}

function send(form, button) {
  if (form.classList.contains("busy") || (form.closest && form.closest(".unsettled"))) return;
  const fields = fieldsOf(form, button);
  const acts = "act" in fields;
  if (acts) {
    if (state !== "live" || !newest) return;
    fields.act = mark();
    fields.until = Math.floor(now() + MEANT_MS);
    fields.run = fields.run || run;
  }
  if ("phone" in fields) fields.phone = Date.now();
  form.classList.add("busy");
  post(button.getAttribute("formaction") || form.getAttribute("action"), fields, MEANT_MS, (answer) => {
    form.classList.remove("busy");
    if (answer) { heed(answer); return; }
    if (!acts) { toast(told("offline")); return; }
    toast(told("unsure"), 60000);
    const granted = button.classList.contains("open") ? 1 : 0;
    unsure.push({ form_token: fields.form_token, act: fields.act, run: fields.run, happening: fields.happening || 0, granted: granted });
    askAgain();
  });
}

// Acts whose answer did not come. Asking settles them: what has not come by then will never be done.

const unsure = [];
let asking = false;

function askAgain() {
  if (asking || !unsure.length) return;
  asking = true;
  post("/settle", unsure[0], MEANT_MS, (answer) => {
    asking = false;
    if (!answer) { setTimeout(askAgain, 1000); return; }
    unsure.shift();
    heed(answer);
    askAgain();
  });
}

function heed(answer) {
  if (answer.go) { location.assign(answer.go); return; }
  if (answer.ok && told("then")) { location.assign(told("then") + (answer.explain ? "?explain=" + answer.explain : "")); return; }
  if (answer.sheet) { showSheet(answer.sheet); return; }
  toast(answer.sentence, answer.ok ? 5000 : 10000);
  if (answer.ok) showSheet("");
}

// A caution that is new sounds once; it stays until somebody says that it was seen.

let cautioned = 0;

function heedCaution() {
  const caution = document.querySelector("[data-caution]");
  const number = caution ? Number(caution.getAttribute("data-caution")) : 0;
  if (number > cautioned) sound();
  cautioned = number;
}

function showSheet(html) {
  const sheet = byId("sheet");
  if (!sheet) return;
  if (html) byId("toast").hidden = true;
  fill(sheet, html);
  sheet.hidden = !html;
}

// Which button sent a form: the one that was pressed. Where that is not known, nothing is sent: no button stands for
// another.

let pressed = null;

document.addEventListener("click", (event) => {
  const button = event.target.closest ? event.target.closest("button") : null;
  pressed = button;
  const later = event.target.closest && event.target.closest("[data-later]");
  if (!later || !byId("sheet")) return;
  event.preventDefault();
  showSheet("");
}, true);

document.addEventListener("submit", (event) => {
  const form = event.target;
  const live = form.hasAttribute("data-live") && byId("sheet");
  if (!live && !(form.elements.act && source)) return;
  event.preventDefault();
  const button = event.submitter || pressed;
  pressed = null;
  if (button && button.form === form && !button.hasAttribute("data-press")) send(form, button);
});

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  if (event.key === "Escape") { showSheet(""); return; }
  if (event.target.closest("input, select, textarea")) return;
  if (event.key === "/") {
    const field = byId("quick") || byId("term");
    if (field) { event.preventDefault(); field.focus(); }
    return;
  }
  all(".actions [data-key]").forEach((button) => {
    if (!button.disabled && button.getAttribute("data-key") === event.key.toLowerCase()) button.click();
  });
});

// Press and hold: the tick box of the page without script is not needed then.

function pressAndHold(button) {
  const form = button.form;
  const sure = form.querySelector("input[type=checkbox]");
  let started = 0;
  let frame = 0;
  button.textContent = button.getAttribute("data-press");
  button.type = "button";
  sure.checked = true;
  sure.parentNode.hidden = true;
  const stop = () => { cancelAnimationFrame(frame); started = 0; button.classList.remove("pressing"); };
  const grow = (at) => {
    started = started || at;
    const part = (at - started) / PRESS_MS;
    button.style.setProperty("--pressed", Math.min(100, part * 100) + "%");
    if (part < 1) { frame = requestAnimationFrame(grow); return; }
    stop();
    send(form, button);
  };
  const begin = () => { if (!button.classList.contains("pressing")) { button.classList.add("pressing"); frame = requestAnimationFrame(grow); } };
  const names = window.PointerEvent ? ["pointerdown", "pointerup", "pointerleave", "pointercancel"] : ["touchstart", "touchend", "touchmove", "touchcancel"];
  button.addEventListener(names[0], begin);
  names.slice(1).concat("blur").forEach((name) => button.addEventListener(name, stop));
  button.addEventListener("keydown", (event) => { if (event.key === " " || event.key === "Enter") { event.preventDefault(); begin(); } });
  button.addEventListener("keyup", stop);
  button.addEventListener("contextmenu", (event) => event.preventDefault());
}

function keypad(pad) {
  const field = byId(pad.getAttribute("data-keypad"));
  pad.hidden = false;
  pad.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    const digit = button.getAttribute("data-digit");
    field.value = digit ? field.value + digit : field.value.slice(0, -1);
  });
}

function phoneClock(form) {
  const two = (number) => ("0" + number).slice(-2);
  form.hidden = false;
  const say = () => {
    const at = new Date();
    const day = [at.getFullYear(), two(at.getMonth() + 1), two(at.getDate())].join("-");
    form.querySelector(".clock strong").textContent = day + " " + two(at.getHours()) + ":" + two(at.getMinutes());
  };
  say();
  setInterval(say, 1000);
}

if (told("stream")) {
  beat(Number(told("clock")) || 0); // drawn before this page began to count: too little, never too much
  run = told("run");
  follow();
  setInterval(tick, 250);
} else {
  setInterval(() => { window.postTicks = (window.postTicks || 0) + 1; }, 1000);
}
startCountdown();
heedCaution();
all("[data-press]").forEach(pressAndHold);
all("[data-keypad]").forEach(keypad);
all("form[data-phone]").forEach(phoneClock);
