// Keeps the details fresh, and the camera's picture while somebody looks. Nothing is asked while the page is hidden.
// Written for the oldest browsers the README names. Without it the page shows how things were when it was drawn.
(function () {
  "use strict";
  var PICTURE_MS = 350, TABLES_MS = 3000, AGAIN_MS = 1000, PATIENCE_MS = 4000;

  function ask(path, kind, done) {
    var request = new XMLHttpRequest();
    request.open("GET", path);
    request.timeout = PATIENCE_MS;
    request.responseType = kind;
    request.setRequestHeader("X-Page-Script", "1");
    request.onloadend = function () { done(request.status, request.response); };
    request.send();
  }

  function follow(image) {
    var status = image.parentNode.querySelector("[data-words]");
    var end = Date.now() + Number(image.getAttribute("data-left")) * 1000;
    var shown = "";

    function forget() {
      if (shown) URL.revokeObjectURL(shown);
      shown = "";
    }

    function over() {
      forget();
      image.hidden = true;
      status.textContent = image.getAttribute("data-over");
    }

    function show(blob) {
      var next = URL.createObjectURL(blob);
      image.onload = image.onerror = function () { forget(); shown = next; };
      image.src = next;
      image.hidden = false;
      status.textContent = status.getAttribute("data-words").replace("%", Math.max(0, Math.round((end - Date.now()) / 1000)));
    }

    function say(blob) {
      image.hidden = true;
      status.textContent = image.getAttribute("data-lost");
      if (!blob || blob.type !== "application/json") return;
      var reader = new FileReader();
      reader.onload = function () { status.textContent = JSON.parse(reader.result).sentence || status.textContent; };
      reader.readAsText(blob);
    }

    function step() {
      if (Date.now() >= end) { over(); return; }
      if (document.hidden) { setTimeout(step, AGAIN_MS); return; }
      ask(image.getAttribute("data-picture") + "?at=" + Date.now(), "blob", function (code, blob) {
        if (code === 200) show(blob); else say(blob);
        setTimeout(step, code === 200 ? PICTURE_MS : AGAIN_MS);
      });
    }

    step();
  }

  function refresh() {
    var place = document.getElementById("tables");
    if (document.hidden) { setTimeout(refresh, TABLES_MS); return; }
    ask(place.getAttribute("data-tables"), "text", function (code, html) {
      if (code === 200) place.innerHTML = html;
      setTimeout(refresh, TABLES_MS);
    });
  }

  Array.prototype.forEach.call(document.querySelectorAll("img[data-picture]"), follow);
  if (document.getElementById("tables")) setTimeout(refresh, TABLES_MS);
})();
