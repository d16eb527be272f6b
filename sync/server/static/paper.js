"use strict";
// Typing goes on where it stopped: in the first field, or in the new person's name; mistakes come first (form.js).
if (!document.getElementById("wrong")) {
  const { focus } = document.querySelector("[data-focus]").dataset;
  document.getElementById(focus)?.focus();
}
