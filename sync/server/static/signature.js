"use strict";
// The signature: strokes in a field of 1000 × 400, sent as an SVG path of M and L.
const pad = document.getElementById("pad");
const drawn = document.getElementById("drawn");
const WIDTH = 1000, HEIGHT = 400, MOST = 59000;
const strokes = drawn.value.split("M").filter(Boolean).map(
  (stroke) => stroke.split("L").map((point) => point.trim().split(" ").map(Number)));
let stroke = null;

function draw() {
  const scale = pad.width / WIDTH, pen = pad.getContext("2d");
  pen.clearRect(0, 0, pad.width, pad.height);
  pen.lineWidth = 9 * scale;
  pen.lineCap = pen.lineJoin = "round";
  pen.strokeStyle = getComputedStyle(pad).color;
  for (const points of strokes) {
    pen.beginPath();
    pen.moveTo(points[0][0] * scale, points[0][1] * scale);
    for (const [x, y] of points) pen.lineTo(x * scale, y * scale);
    pen.stroke();
  }
}

function keep() {
  drawn.value = strokes.map((points) => "M" + points.map((point) => point.join(" ")).join(" L")).join(" ");
  if (drawn.value.length > MOST) {
    strokes.pop();
    keep();
  }
}

function fit() {
  pad.width = Math.round(pad.clientWidth * (window.devicePixelRatio || 1));
  pad.height = Math.round(pad.width * HEIGHT / WIDTH);
  draw();
}

function at(event) {
  const box = pad.getBoundingClientRect();
  const within = (value, most) => Math.max(0, Math.min(most, Math.round(value)));
  return [within((event.clientX - box.left) / box.width * WIDTH, WIDTH),
    within((event.clientY - box.top) / box.height * HEIGHT, HEIGHT)];
}

pad.addEventListener("pointerdown", (event) => {
  event.preventDefault();
  pad.setPointerCapture(event.pointerId);
  stroke = [at(event)];
  strokes.push(stroke);
});
pad.addEventListener("pointermove", (event) => {
  if (!stroke) return;
  const point = at(event), [x, y] = stroke[stroke.length - 1];
  if (Math.hypot(point[0] - x, point[1] - y) < 4) return;
  stroke.push(point);
  draw();
});
function lift() {
  if (!stroke) return;
  if (stroke.length === 1) stroke.push([stroke[0][0] + 1, stroke[0][1]]);
  stroke = null;
  keep();
  draw();
}
pad.addEventListener("pointerup", lift);
pad.addEventListener("pointercancel", lift);
document.getElementById("undo").addEventListener("click", () => { strokes.pop(); keep(); draw(); });
document.getElementById("clear").addEventListener("click", () => { strokes.length = 0; keep(); draw(); });
addEventListener("resize", fit);
pad.closest(".pad").hidden = false;
fit();
