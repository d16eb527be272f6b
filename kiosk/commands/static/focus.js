// Asks for the figures again and again, and for a picture when the last one has come. Written for old browsers, as the
// guards' page is: a technician has the phone that there is.
"use strict";
(() => {
  const EVERY_MS = 300, GIVE_UP_MS = 3000, GIVE_UP_AFTER = 20;
  const body = document.body, cutOff = document.getElementById("cut-off");
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const theme = () => document.documentElement.dataset.theme = dark.matches ? "night" : "day";
  theme();
  dark.addListener(theme);
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
  const ask = () => {
    const request = new XMLHttpRequest();
    request.open("GET", body.dataset.now);
    request.timeout = GIVE_UP_MS;
    request.onloadend = () => {
      try {
        if (request.status !== 200) throw new Error(String(request.status));
        show(JSON.parse(request.responseText));
        missed = 0;
      } catch (err) {
        missed += 1;
      }
      cutOff.hidden = missed < 2;
      cutOff.textContent = missed < GIVE_UP_AFTER ? body.dataset.cutOff : body.dataset.over;
      if (missed < GIVE_UP_AFTER) setTimeout(ask, missed ? 1000 : EVERY_MS);
    };
    request.send();
  };
  ask();

  for (const form of document.forms) {
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const request = new XMLHttpRequest();
      request.open("POST", form.action);
      request.send();
    });
  }
})();
