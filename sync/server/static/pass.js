"use strict";
// The phone pass. What the centre sent once is enough to draw the code without it: a matrix, the modules each bit of the
// digits turns over, the secret of the digits and the centre's time. Where the browser has no WebCrypto (plain HTTP) the
// centre draws, and the network is needed.
const ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:";
const VERSION = 2;
const AGAIN_MS = 300000;
const page = document.getElementById("passes");
const none = document.getElementById("none");

function forget(compound) {
  try {
    localStorage.removeItem(`pass-${compound}`);
  } catch { /* storage is closed to us, so there is nothing in it */ }
  if (window.caches) caches.delete("pass");
}

function show(id, yes) {
  const place = document.getElementById(id);
  if (place.hidden === yes) place.hidden = !yes;
}

if (none) forget(none.dataset.compound);
else if (window.isSecureContext && window.crypto && crypto.subtle) live();
else page.querySelectorAll(".code[data-url]").forEach(fetched);

// Drawn here

function live() {
  const { compound, bundle: address, page: path, worker, step, alt } = page.dataset;
  const stepMs = step * 1000;
  let bundle = read();
  let anchor = null; // the centre's time at a moment of this page's own clock
  let drawn = -1;
  let codes = new Map(); // the modules that each pass shows, by its number
  let asking = false;
  let failed = false;
  const sized = new ResizeObserver(paint);

  show("server", false);
  history.replaceState(null, "", path + location.hash); // kept and found again under the plain address
  if (bundle) build();
  refresh();
  page.addEventListener("scroll", mark, { passive: true });
  setInterval(tick, 500);
  setInterval(refresh, AGAIN_MS);
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState !== "visible") return;
    tick();
    refresh();
    stayBright();
  });
  window.addEventListener("online", refresh);
  stayBright();

  function read() {
    try {
      const found = JSON.parse(localStorage.getItem(`pass-${compound}`));
      return found && found.v === VERSION ? found : null;
    } catch {
      return null;
    }
  }

  function keep() {
    try {
      localStorage.setItem(`pass-${compound}`, JSON.stringify(bundle));
    } catch { /* it still works until the page is closed */ }
  }

  async function refresh() {
    if (asking || document.visibilityState === "hidden") return;
    asking = true;
    try {
      const sent = Date.now();
      const answer = await fetch(bundle ? address : `${address}?moves=1`, { cache: "no-store" });
      if (answer.status === 404) return ended();
      if (!answer.ok) throw new Error(String(answer.status));
      take(await answer.json(), sent, Date.now());
    } catch {
      failed = true;
      show("no-network", !bundle);
    } finally {
      asking = false;
    }
  }

  function take(got, sent, received) {
    if (got.v !== VERSION) {
      keepPage(); // a newer page, for the next opening
      throw new Error("version");
    }
    const nowMs = got.now_ms + (received - sent) / 2;
    bundle = { ...got, moves: got.moves || bundle.moves, offset: nowMs - received, seen: nowMs };
    anchor = { nowMs, at: performance.now() };
    failed = false;
    show("no-network", false);
    show("clock", false);
    keep();
    build();
    keepPage();
  }

  function ended() {
    bundle = null;
    forget(compound);
    page.textContent = "";
    document.getElementById("people").hidden = true;
    ["live", "how"].forEach((hint) => show(hint, false));
    show("gone", true);
  }

  // The page's own clock does not jump when the phone's is set; the phone's goes on while the phone sleeps.
  function centreMs() {
    const byPhone = Date.now() + bundle.offset;
    return anchor ? Math.max(byPhone, anchor.nowMs + performance.now() - anchor.at) : byPhone;
  }

  // What takes time is done before anything on the screen changes: a code may be before a camera at this moment.
  async function build() {
    const mine = bundle;
    const at = stepNow();
    const found = await codesAt(mine, at);
    if (bundle !== mine) return;
    [codes, drawn] = [found, at];
    const card = document.getElementById("card").content;
    const people = document.getElementById("people");
    const articles = bundle.passes.map((one) => {
      const made = card.cloneNode(true).firstElementChild;
      made.id = `p${one.number}`;
      put(made.querySelector(".kind"), one.kind);
      made.querySelector(".holder").append(`${one.label} ${one.plate} `, small(one.number));
      made.querySelector(".shortcode").append(one.short_code);
      made.querySelector(".until > :last-child").textContent = one.until;
      const terms = made.querySelector(".terms");
      if (terms && one.terms && one.terms[0]) { // a page or a bundle kept from before has none
        terms.hidden = false;
        put(terms, one.terms);
      }
      if (one.base) made.querySelector(".code").append(canvas());
      else without(made, one.told);
      return made;
    });
    const scrolled = page.scrollLeft;
    page.textContent = "";
    page.append(...articles);
    paint();
    page.scrollLeft = scrolled;
    people.textContent = "";
    people.append(...bundle.passes.map((one, number) => {
      const link = document.createElement("a");
      link.href = `#p${one.number}`;
      link.addEventListener("click", (event) => {
        event.preventDefault(); // sideways only: an anchor would move the page down, too
        page.scrollLeft = articles[number].offsetLeft - articles[0].offsetLeft;
      });
      link.append(`${one.label || one.plate} `, small(one.number.slice(-3)));
      return link;
    }));
    people.hidden = bundle.passes.length < 2;
    mark();
    show("live", true);
    tick();
  }

  // Which of several is on the screen
  function mark() {
    const at = Math.round(page.scrollLeft / (page.clientWidth || 1));
    [...document.getElementById("people").children].forEach((link, number) => {
      if (number === at) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    });
  }

  function small(text) {
    const made = document.createElement("small");
    made.textContent = text;
    return made;
  }

  function put(place, [chinese, english]) {
    const other = document.createElement("span");
    other.lang = "en";
    other.textContent = english;
    place.append(`${chinese} `, other);
  }

  function canvas() {
    const made = document.createElement("canvas");
    made.setAttribute("role", "img");
    made.setAttribute("aria-label", alt);
    sized.observe(made);
    return made;
  }

  function without(made, told) {
    made.querySelector(".code").remove();
    made.querySelector("progress").remove();
    const place = made.querySelector(".told");
    place.hidden = false;
    put(place, told);
  }

  async function tick() {
    if (!bundle) return;
    const nowMs = centreMs();
    show("clock", failed && nowMs < bundle.seen - stepMs);
    page.querySelectorAll("progress").forEach((bar) => { bar.value = (stepMs - (nowMs % stepMs)) / 1000; });
    const at = stepNow();
    if (at === drawn) return;
    drawn = at;
    const mine = bundle;
    const found = await codesAt(mine, at);
    if (bundle !== mine || drawn !== at) return;
    codes = found;
    paint();
  }

  function stepNow() {
    return Math.floor(centreMs() / stepMs);
  }

  async function codesAt({ passes, moves, size, quiet }, at) {
    const turns = moves.map(bytes);
    const found = new Map();
    for (const one of passes.filter(({ base }) => base)) {
      const matrix = turn(bytes(one.base), turns, `.${await digits(bytes(one.secret), at)}`);
      found.set(one.number, { matrix, size, quiet });
    }
    return found;
  }

  function paint() {
    for (const [number, code] of codes) {
      const place = page.querySelector(`[id="p${number}"] canvas`);
      if (place) draw(place, code);
    }
  }

  // As many dots as the screen has there, so that the browser need not scale, which would blur or bend every edge. Every
  // module is as many whole dots wide as there is room for.
  function draw(place, { matrix, size, quiet }) {
    place.width = place.height = Math.round(place.getBoundingClientRect().width * (window.devicePixelRatio || 1));
    const pixels = Math.floor(place.width / (size + 2 * quiet));
    const left = Math.floor((place.width - size * pixels) / 2);
    const pen = place.getContext("2d");
    pen.fillStyle = "#fff";
    pen.fillRect(0, 0, place.width, place.height);
    pen.fillStyle = "#000";
    for (let at = 0; at < size * size; at += 1) {
      if (matrix[at >> 3] >> (7 - (at & 7)) & 1) {
        pen.fillRect(left + at % size * pixels, left + Math.floor(at / size) * pixels, pixels, pixels);
      }
    }
  }

  // For the next time without network: this page without its codes, its styles and scripts, and who answers with them.
  async function keepPage() {
    try {
      if (!navigator.serviceWorker) return;
      await navigator.serviceWorker.register(worker, { scope: "/j/" });
      const cache = await caches.open("pass");
      const parts = [...document.querySelectorAll("link[rel=stylesheet], script[src]")].map((one) => one.href || one.src);
      const wanted = [[path, `${path}?bare=1`], ...parts.map((part) => [new URL(part).pathname, part])];
      for (const [name, from] of wanted) {
        const answer = await fetch(from, { cache: "no-cache" });
        if (answer.ok && !answer.redirected) await cache.put(name, answer);
      }
      page.dataset.kept = "yes";
    } catch { /* it works with the network, and tries again at the next opening */ }
  }

  async function stayBright() {
    try {
      if (navigator.wakeLock) await navigator.wakeLock.request("screen");
    } catch { /* the battery is low, or the browser will not; the hint stands on the page */ }
  }
}

function bytes(text) {
  return Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0));
}

// RFC 6238 with SHA-1, eight digits
async function digits(secret, step) {
  const counter = new DataView(new ArrayBuffer(8));
  counter.setUint32(0, Math.floor(step / 2 ** 32));
  counter.setUint32(4, step % 2 ** 32);
  const key = await crypto.subtle.importKey("raw", secret, { name: "HMAC", hash: "SHA-1" }, false, ["sign"]);
  const mac = new DataView(await crypto.subtle.sign("HMAC", key, counter));
  const number = mac.getUint32(mac.getUint8(19) & 15) & 0x7fffffff;
  return String(number % 10 ** 8).padStart(8, "0");
}

// The bits of ".12345678": four pairs of 11 and a single of 6
function bitsOf(tail) {
  const values = [...tail].map((sign) => ALPHABET.indexOf(sign));
  let bits = "";
  for (let at = 0; at < values.length; at += 2) {
    const pair = at + 1 < values.length;
    const value = pair ? values[at] * ALPHABET.length + values[at + 1] : values[at];
    bits += value.toString(2).padStart(pair ? 11 : 6, "0");
  }
  return bits;
}

function turn(matrix, moves, tail) {
  [...bitsOf(tail)].forEach((bit, number) => {
    if (bit === "1") moves[number].forEach((byte, at) => { matrix[at] ^= byte; });
  });
  return matrix;
}

// Drawn by the centre

async function fetched(place) {
  let waitMs = 3000;
  try {
    const answer = await fetch(place.dataset.url, { cache: "no-store" });
    if (answer.status === 404) {
      place.remove();
      show("gone", true);
      return;
    }
    if (!answer.ok) throw new Error(String(answer.status));
    place.innerHTML = await answer.text();
    waitMs = Number(answer.headers.get("Next-In")) + 100;
    show("no-network", false);
  } catch {
    show("no-network", true);
  }
  setTimeout(() => fetched(place), waitMs);
}
