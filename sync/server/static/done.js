"use strict";
// The number, the time and the code as one picture, because a picture can be kept by a long press where nothing can be
// downloaded or printed.
const ticket = document.getElementById("ticket");
const { compound, label, number, slot, place, code, says } = ticket.dataset;
const WIDTH = 720, MARGIN = 40, FONT = "sans-serif";
const rows = code.split(" "); // the quiet zone is in them
const module = Math.floor((WIDTH - MARGIN) / rows.length); // as large as the picture allows: it is held up at a gate
const side = module * rows.length;
const lines = [[compound, 36, "bold"], [label, 26, ""], [number, 76, "bold"], [slot, 54, "bold"], [place, 30, ""]].filter(([text]) => text);
const canvas = document.createElement("canvas");
canvas.width = WIDTH;
canvas.height = MARGIN * 2 + lines.reduce((sum, [, size]) => sum + size * 1.4, 0) + side + 40;
const pen = canvas.getContext("2d");
pen.fillStyle = "#fff";
pen.fillRect(0, 0, canvas.width, canvas.height);
pen.fillStyle = "#000";
pen.textAlign = "center";
let y = MARGIN;
for (const [text, size, weight] of lines) {
  y += size * 1.2;
  pen.font = `${weight} ${size}px ${FONT}`;
  pen.fillText(text, WIDTH / 2, y, WIDTH - MARGIN);
  y += size * 0.2;
}
y = Math.round(y); // half a pixel would blur every edge
rows.forEach((row, line) => [...row].forEach((bit, place) => {
  if (bit === "1") pen.fillRect((WIDTH - side) / 2 + place * module, y + line * module, module, module);
}));
pen.font = `26px ${FONT}`;
pen.fillText(says, WIDTH / 2, y + side + 26, WIDTH - MARGIN);
const picture = new Image();
picture.alt = [label, number, slot, place].filter(Boolean).join(", ");
picture.src = canvas.toDataURL("image/png");
picture.className = "keep";
picture.id = "picture";
ticket.replaceWith(picture);
document.getElementById("save").hidden = false;
