"use strict";
// Live help on the form: what is not needed is out of the way, rows come and go without a reload, the number of an ID
// card is read at once. Without this file everything works, with a reload here and there.
document.documentElement.classList.add("live");

function valueOf(name) {
  const all = document.getElementsByName(name);
  if (all.length && /radio|checkbox/.test(all[0].type)) {
    const ticked = [...all].find((field) => field.checked);
    return ticked ? ticked.value : "";
  }
  return all.length ? all[0].value : "";
}

function showNeeded() {
  for (const part of document.querySelectorAll("[data-field]")) {
    const value = valueOf(part.dataset.field);
    part.hidden = part.dataset.not !== undefined ? value === part.dataset.not : !part.dataset.is.split(" ").includes(value);
  }
}

function narrow() {
  const button = document.querySelector("button.narrow");
  button.form.requestSubmit(button);
}

// GB 11643: 17 digits and a check place. Only a hint; the centre checks again.
function readIdCard(number) {
  if (!/^\d{17}[\dX]$/.test(number)) return null;
  const sum = [...number.slice(0, 17)].reduce((total, digit, place) => total + digit * (2 ** (17 - place) % 11), 0);
  if ("10X98765432"[sum % 11] !== number[17]) return null;
  return { sex: number[16] % 2 ? "m" : "f", birth: `${number.slice(6, 10)}-${number.slice(10, 12)}-${number.slice(12, 14)}` };
}

function readDocument(said) {
  const id = said.id.replace("-read", "");
  if (valueOf(`${id}-doc_kind`) !== "id_card") {
    said.textContent = "";
    return;
  }
  const number = valueOf(`${id}-doc_number`).normalize("NFKC").replace(/[\s-]/g, "").toUpperCase();
  const found = readIdCard(number);
  const { m, f, born, wrong } = said.dataset;
  said.textContent = found ? `${{ m, f }[found.sex]} · ${born} ${found.birth}` : number.length >= 18 ? wrong : "";
}

function addRow(button) {
  const rows = button.parentElement.querySelectorAll("[data-row]");
  const last = rows[rows.length - 1];
  const row = last.cloneNode(true);
  const from = last.id.match(/\d+$/)[0];
  const renumber = (text) => text.replace(/(journeys-)\d+/, `$1${Number(from) + 1}`);
  for (const part of [row, ...row.querySelectorAll("[id], [name], [for], button")]) {
    for (const name of ["id", "name", "for"]) {
      if (part.hasAttribute(name)) part.setAttribute(name, renumber(part.getAttribute(name)));
    }
    part.classList.remove("bad");
    if (part.matches("input")) part.value = "";
    if (part.matches("button")) part.value = part.value.replace(/\d+$/, Number(from) + 1);
  }
  row.querySelectorAll(".mistake").forEach((mistake) => mistake.remove());
  row.hidden = false;
  last.after(row);
  row.querySelector("input").focus();
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-add], [data-remove]");
  if (!button) return;
  event.preventDefault();
  if ("add" in button.dataset) {
    if (button.parentElement.querySelectorAll("[data-row]").length < 15) addRow(button);
  } else {
    const row = button.closest("[data-row]");
    row.querySelectorAll("input").forEach((field) => (field.value = ""));
    row.hidden = true;
  }
});
document.addEventListener("change", (event) => {
  showNeeded();
  if (event.target.matches("[data-narrow]")) narrow();
});
document.addEventListener("input", () => document.querySelectorAll(".live[id]").forEach(readDocument));
document.addEventListener("submit", (event) => {
  // a double tap sends once; the centre would take the second for the first anyway
  if (event.target.dataset.sent) event.preventDefault();
  event.target.dataset.sent = "yes";
});
addEventListener("pageshow", () => document.querySelectorAll("form").forEach((form) => delete form.dataset.sent));
showNeeded();
// On a slow line a building may be chosen before this file is here: nobody has asked for its units yet.
function changedBefore(list) {
  const drawn = [...list.options].find((option) => option.defaultSelected) || list.options[0];
  return drawn && list.value !== drawn.value;
}
if ([...document.querySelectorAll("select[data-narrow]")].some(changedBefore)) narrow();
document.querySelectorAll(".live[id]").forEach(readDocument);
const wrong = document.getElementById("wrong");
if (wrong) wrong.focus();
