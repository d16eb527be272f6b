// Asks for the figures again and again, and for a picture when the last one has come.
"use strict";
(() => {
  const EVERY_MS = 300, GIVE_UP_AFTER = 20;
  const body = document.body, cutOff = document.getElementById("cut-off");
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const theme = () => document.documentElement.dataset.theme = dark.matches ? "night" : "day";
  theme();
  dark.addEventListener("change", theme);
  if (!document.getElementById("advice")) {
    setTimeout(() => location.reload(), 1000);
    return;
  }

  const show = (now) => {
    for (const place of document.querySelectorAll("[data-say]")) {
      const said = now.words[place.dataset.say];
      if (place.textContent !== said) place.textContent = said;
    }
    document.getElementById("advice").className = `advice tone-${now.tone}`;
    document.getElementById("sharpness").value = now.sharpness;
    document.getElementById("best").value = now.best;
    document.getElementById("found").hidden = !now.found;
    const search = document.getElementById("search");
    if (search) search.disabled = now.searching;
    for (const name of ["whole", "close"]) {
      const image = document.getElementById(name);
      if (image.complete) image.src = image.src.split("?")[0] + "?" + now.frame;
    }
  };

  let missed = 0;
  const ask = async () => {
    try {
      const answer = await fetch(body.dataset.now, { signal: AbortSignal.timeout(3000) });
      if (!answer.ok) throw new Error(String(answer.status));
      show(await answer.json());
      missed = 0;
    } catch {
      missed += 1;
    }
    cutOff.hidden = missed < 2;
    cutOff.textContent = missed < GIVE_UP_AFTER ? body.dataset.cutOff : body.dataset.over;
    if (missed < GIVE_UP_AFTER) setTimeout(ask, missed ? 1000 : EVERY_MS);
  };
  ask();

  for (const form of document.forms) {
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      fetch(form.action, { method: "POST", redirect: "manual" });
    });
  }
})();
