// Warns where the page's own script does not run: in a browser that cannot read it, or because it has stopped.
// In the oldest syntax there is, and on its own, so that nothing it watches over can stop it.
(function () {
  var EVERY_MS = 2000, QUIET_TICKS = 3;
  var last, quiet = 0;
  function warn() {
    var place = document.getElementById("cut"), words = document.getElementById("cut-dead");
    if (!place || !words) return;
    place.innerHTML = words.innerHTML;
    place.hidden = false;
    place.removeAttribute("hidden");
    document.body.className += " cut";
    document.title = "✕ " + document.title;
    // Nobody else will bring news: draw the page again.
    setTimeout(function () { location.reload(); }, 5000);
  }
  var timer = setInterval(function () {
    if (!document.getElementById("cut-dead")) return;
    quiet = window.postTicks === last ? quiet + 1 : 0;
    last = window.postTicks;
    if (quiet < QUIET_TICKS) return;
    clearInterval(timer);
    warn();
  }, EVERY_MS);
})();
