// The lane's sounds: a tone for each outcome, then the spoken words that somebody put there. Never a reason. On its own,
// so that a browser without sound still shows the lane.
"use strict";

// Pitch in Hz, beginning and length in seconds: grant rises, refer is said twice, deny falls.
const TONES = {
  grant: [[660, 0, 0.13], [990, 0.14, 0.2]],
  refer: [[660, 0, 0.16], [660, 0.26, 0.16]],
  deny: [[440, 0, 0.24], [262, 0.26, 0.4]],
};
const HINT_MS = 10000;

(function () {
  const Player = window.AudioContext || window.webkitAudioContext;
  if (!Player) return;
  const player = new Player();
  const voices = JSON.parse(document.body.getAttribute("data-voices"));
  const words = {};
  let going = [];
  let before = mark();
  let hinted = -HINT_MS;

  function mark() {
    const face = document.getElementById("face");
    return [face.getAttribute("data-tone"), face.getAttribute("data-shown"), face.getAttribute("data-sign")].join(" ");
  }

  function load(word, place, url) {
    const request = new XMLHttpRequest();
    request.open("GET", url);
    request.responseType = "arraybuffer";
    request.onload = () => {
      if (request.status === 200) player.decodeAudioData(request.response, (spoken) => { words[word][place] = spoken; }, () => {});
    };
    request.send();
  }

  function gain(volume) {
    const node = player.createGain();
    node.gain.value = volume / 100;
    node.connect(player.destination);
    return node;
  }

  function begin(source, to, at, lasts) {
    source.connect(to);
    source.start(at);
    if (lasts) source.stop(at + lasts);
    going.push(source);
  }

  function speak(word, to, at) {
    (words[word] || []).forEach((spoken) => {
      if (!spoken) return;
      const source = player.createBufferSource();
      source.buffer = spoken;
      begin(source, to, at);
      at += spoken.duration + 0.15;
    });
  }

  function play(tone, volume) {
    const to = gain(volume);
    const notes = TONES[tone];
    notes.forEach((note) => {
      const source = player.createOscillator();
      source.type = "triangle";
      source.frequency.value = note[0];
      begin(source, to, player.currentTime + note[1], note[2]);
    });
    const last = notes[notes.length - 1];
    speak(tone, to, player.currentTime + last[1] + last[2] + 0.1);
  }

  // After each new face. What is still sounding belongs to somebody who has gone.
  window.sound = () => {
    const face = document.getElementById("face");
    const tone = face.getAttribute("data-tone");
    const volume = Number(face.getAttribute("data-volume"));
    const now = mark();
    if (now === before) return;
    before = now;
    const result = TONES[tone] && face.getAttribute("data-shown") !== "0";
    const hint = face.getAttribute("data-sign") === "hint-closer" && performance.now() - hinted > HINT_MS;
    if (!result && !hint) return;
    going.forEach((source) => { try { source.stop(); } catch (err) { /* it has ended */ } });
    going = [];
    if (player.state !== "running") { player.resume(); return; }
    if (!volume) return;
    if (result) { play(tone, volume); return; }
    hinted = performance.now();
    speak("closer", gain(volume), player.currentTime);
  };

  Object.keys(voices).forEach((word) => {
    words[word] = [];
    voices[word].forEach((url, place) => load(word, place, url));
  });
})();
