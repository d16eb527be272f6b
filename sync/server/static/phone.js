"use strict";
// Shows the phone code and fetches the next one when the centre says it changes. The centre's clock counts, not ours.
const picture = document.getElementById("code");
const offline = document.getElementById("offline");

async function show() {
  let wait = 3000;
  try {
    const answer = await fetch(picture.dataset.url, { cache: "no-store" });
    if (!answer.ok) throw new Error(String(answer.status));
    picture.innerHTML = await answer.text();
    wait = Number(answer.headers.get("Next-In")) + 100;
    offline.hidden = true;
  } catch {
    offline.hidden = false;
  }
  setTimeout(show, wait);
}

show();
