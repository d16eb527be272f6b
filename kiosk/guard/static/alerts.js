// Calls a guard whose eyes are elsewhere: tone, vibration, title and icon for somebody who waits, a call, a caution; and
// what was missed while the phone slept. As old as post.js in its syntax. It reads the page and changes no act of it.
"use strict";

(function () {
  const EVERY_MS = 500;
  const RING_MS = 4000;
  const ASLEEP_MS = 15000; // a page in the background is still woken every second or so
  const SETTLED_MS = 2000; // after waking, for the lines that came meanwhile
  const TONES = { waits: [660], call: [880, 660, 880], fault: [] }; // of a new caution post.js sounds
  const SHAKES = { waits: [200], call: [300, 150, 300], fault: [500] };
  const MARKS = { waits: "!", call: "☎", fault: "▨" };
  const place = document.getElementById("missed");
  const link = document.querySelector("link[rel=icon]");
  if (!place || !link) return;
  const plainTitle = document.title;
  const plainIcon = link.getAttribute("href");
  const say = (name) => document.body.getAttribute("data-" + name) || "";
  let context = null;
  let shown = "";
  let rung = 0;
  let rungAt = 0;
  let tickedAt = Date.now();
  let wokeAt = 0;
  let seen = newest();

  function newest() {
    const line = document.querySelector("#lines .line");
    return line ? Number(line.id.replace("line-", "")) : 0;
  }

  function alertNow() {
    if (document.querySelector("[data-rings]")) return "call";
    if (document.querySelector(".panel.waits, .waiting-banner")) return "waits";
    return document.querySelector("[data-caution]") ? "fault" : "";
  }

  function sound(frequencies) {
    try {
      context = context || new (window.AudioContext || window.webkitAudioContext)();
      frequencies.forEach((frequency, place) => {
        const tone = context.createOscillator();
        tone.frequency.value = frequency;
        tone.connect(context.destination);
        tone.start(context.currentTime + place * 0.25);
        tone.stop(context.currentTime + place * 0.25 + 0.2);
      });
    } catch (err) { /* a browser without sound still has title and icon */ }
  }

  function ring(name) {
    document.body.setAttribute("data-rung", ++rung);
    rungAt = Date.now();
    sound(TONES[name]);
    try { if (navigator.vibrate) navigator.vibrate(SHAKES[name]); } catch (err) { /* not allowed before a tap */ }
  }

  function show(name) {
    if (document.body.classList.contains("cut")) { shown = ""; return; } // the page says so itself
    const title = name ? MARKS[name] + " " + say(name) + " · " + plainTitle : plainTitle;
    if (document.title !== title) document.title = title;
    const icon = name ? plainIcon.replace("icon.svg", "icon-" + name + ".svg") : plainIcon;
    if (link.getAttribute("href") !== icon) link.setAttribute("href", icon);
    if (name && name !== shown) ring(name);
    if (name === "call" && Date.now() - rungAt >= RING_MS) ring(name);
    shown = name;
  }

  // A line may have come, and its 30 seconds gone by, while no script of this page ran.

  function wake() {
    if (wokeAt) return;
    wokeAt = Date.now();
  }

  function tellMissed() {
    const lines = Array.prototype.slice.call(document.querySelectorAll("#lines [data-missed]"));
    const missed = lines.filter((line) => Number(line.getAttribute("data-missed")) > seen);
    if (!missed.length) return;
    place.textContent = say("missed").replace("%", missed.length);
    place.hidden = false;
    ring("waits");
  }

  function tick() {
    const now = Date.now();
    if (now - tickedAt > ASLEEP_MS) wake();
    tickedAt = now;
    if (wokeAt) {
      if (!document.body.classList.contains("live") || now - wokeAt < SETTLED_MS) return;
      tellMissed();
      wokeAt = 0;
      seen = newest();
    } else if (!document.hidden) seen = newest();
    show(alertNow());
  }

  place.addEventListener("click", () => { place.hidden = true; });
  document.addEventListener("visibilitychange", () => { if (!document.hidden) wake(); });
  setInterval(tick, EVERY_MS);
})();
