// Makes the post live. Every page works without it: forms post, links lead, lists are read again.
"use strict";

const SETTLE_MS = 350; // a tap meant for the person before must not fall on the person after
const PRESS_MS = 1000;
const KEPT_LINES = 60;

const byId = (id) => document.getElementById(id);
let settling = 0;
let toastTimer = 0;

function toast(sentence) {
  const place = byId("toast");
  place.textContent = sentence;
  place.hidden = false;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => { place.hidden = true; }, 3500);
}

function fragment(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  return template.content;
}

// The stream.

function showLine(html) {
  const line = fragment(html).firstElementChild;
  const old = byId(line.id);
  if (old) {
    old.replaceWith(line);
    return;
  }
  const lines = byId("lines");
  line.classList.add("new");
  lines.prepend(line);
  byId("nothing").hidden = true;
  while (lines.children.length > KEPT_LINES) lines.lastElementChild.remove();
}

function showPanel(html) {
  const place = byId("panel");
  const content = fragment(html);
  const panel = content.querySelector(".panel");
  if (panel.dataset.key === place.querySelector(".panel")?.dataset.key) return;
  place.replaceChildren(content);
  if (panel.classList.contains("waits")) showSheet("");  // somebody waits: reasons can wait, the stream keeps them
  place.classList.add("unsettled");
  clearTimeout(settling);
  settling = setTimeout(() => place.classList.remove("unsettled"), SETTLE_MS);
  startCountdown();
}

let countdown = 0;
function startCountdown() {
  clearInterval(countdown);
  const place = document.querySelector(".countdown");
  if (!place) return;
  const end = Date.now() + Number(place.dataset.left) * 1000;
  countdown = setInterval(() => {
    const left = Math.max(0, Math.ceil((end - Date.now()) / 1000));
    place.textContent = place.dataset.words.replace("%", left);
  }, 250);
}

function follow(post) {
  const source = new EventSource(post.dataset.stream);
  const on = (name, act) => source.addEventListener(name, (event) => act(JSON.parse(event.data)));
  on("line", showLine);
  on("panel", showPanel);
  on("bar", (html) => byId("bar").replaceChildren(fragment(html)));
  on("hint", (html) => byId("hint").replaceChildren(fragment(html)));
  on("reset", () => { byId("lines").replaceChildren(); byId("nothing").hidden = false; });
  on("bye", () => { location.assign("/sign-in?why=not_signed_in"); });
  source.onopen = () => document.body.classList.add("live");
  source.onerror = () => {
    document.body.classList.remove("live");
    const sentence = document.querySelector(".bar-sentence");
    if (sentence) sentence.textContent = document.body.dataset.offline;
    document.querySelector(".bar")?.classList.replace("tone-ok", "tone-fault");
    // A browser gives up after an answer that is no stream (a restart, an ended session): ask for the page again.
    if (source.readyState === EventSource.CLOSED) setTimeout(() => location.reload(), 3000);
  };
}

// Acting without leaving the page.

async function send(form, button) {
  const fields = new FormData(form, button);
  form.classList.add("busy");
  try {
    const answer = await fetch(button.getAttribute("formaction") || form.getAttribute("action"), {
      method: "POST", body: new URLSearchParams(fields), headers: { "X-Page-Script": "1" },
    });
    const told = await answer.json();
    if (told.go) { location.assign(told.go); return; }
    if (!told.sheet) toast(told.sentence);
    if (told.ok) showSheet(told.sheet || "");
  } catch {
    toast(document.body.dataset.offline);
  } finally {
    form.classList.remove("busy");
  }
}

function showSheet(html) {
  const sheet = byId("sheet");
  if (!sheet) return;
  if (html) byId("toast").hidden = true;
  sheet.replaceChildren(fragment(html));
  sheet.hidden = !html;
}

document.addEventListener("submit", (event) => {
  const form = event.target.closest("form[data-live]");
  if (!form || !byId("sheet")) return;
  event.preventDefault();
  if (form.classList.contains("busy")) return;
  if (form.closest(".unsettled")) return;
  send(form, event.submitter || form.querySelector("button"));
});

document.addEventListener("click", (event) => {
  if (!event.target.closest("[data-later]") || !byId("sheet")) return;
  event.preventDefault();
  showSheet("");
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
  document.querySelector(`.actions [data-key="${CSS.escape(event.key.toLowerCase())}"]:not(:disabled)`)?.click();
});

// Press and hold: the tick box of the page without script is not needed then.

function pressAndHold(button) {
  const form = button.form;
  const sure = form.querySelector("input[type=checkbox]");
  let started = 0;
  let frame = 0;
  button.textContent = button.dataset.press;
  button.type = "button";
  sure.checked = true;
  sure.closest("label").hidden = true;
  const stop = () => { cancelAnimationFrame(frame); started = 0; button.classList.remove("pressing"); };
  const grow = (now) => {
    started ||= now;
    const part = (now - started) / PRESS_MS;
    button.style.setProperty("--pressed", `${Math.min(100, part * 100)}%`);
    if (part < 1) { frame = requestAnimationFrame(grow); return; }
    stop();
    button.type = "submit";
    form.requestSubmit(button);
  };
  const begin = () => { if (!button.classList.contains("pressing")) { button.classList.add("pressing"); frame = requestAnimationFrame(grow); } };
  button.addEventListener("pointerdown", begin);
  for (const name of ["pointerup", "pointerleave", "pointercancel", "blur"]) button.addEventListener(name, stop);
  button.addEventListener("keydown", (event) => { if (event.key === " " || event.key === "Enter") { event.preventDefault(); begin(); } });
  button.addEventListener("keyup", stop);
  button.addEventListener("contextmenu", (event) => event.preventDefault());
}

function keypad(pad) {
  const field = byId(pad.dataset.keypad);
  pad.hidden = false;
  pad.addEventListener("click", (event) => {
    const digit = event.target.closest("button")?.dataset.digit;
    if (digit === undefined) return;
    field.value = digit ? field.value + digit : field.value.slice(0, -1);
  });
}

const post = document.querySelector("[data-stream]");
if (post) follow(post);
startCountdown();
document.querySelectorAll("[data-press]").forEach(pressAndHold);
document.querySelectorAll("[data-keypad]").forEach(keypad);
