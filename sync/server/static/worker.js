"use strict";
// Answers for the phone pass while there is no network, and at once while the line is slow. The page itself puts what
// is kept into the cache (pass.js); nothing else of the centre is ever kept or answered here.
const PASS = /^\/j\/\d+\/p$/;
const ENTRY = /^\/j\/\d+$/;

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));
self.addEventListener("fetch", (event) => {
  const { method, mode, destination, url } = event.request;
  const { pathname: path, search, origin } = new URL(url);
  if (method !== "GET" || origin !== self.location.origin) return;
  if (mode === "navigate" && PASS.test(path)) event.respondWith((search ? orKept : keptOr)(event.request, path));
  else if (mode === "navigate" && ENTRY.test(path)) event.respondWith(orKept(event.request, `${path}/p`));
  else if (destination === "style" || destination === "script") event.respondWith(part(event, path));
});

async function kept(path) {
  return (await caches.open("pass")).match(path);
}

async function keptOr(request, path) {
  return (await kept(path)) || fetch(request);
}

async function orKept(request, path) {
  try {
    return await fetch(request);
  } catch (failed) {
    const found = await kept(path);
    if (found) return found;
    throw failed;
  }
}

async function part(event, path) {
  const page = await self.clients.get(event.clientId);
  const ours = page && PASS.test(new URL(page.url).pathname);
  return ours ? keptOr(event.request, path) : orKept(event.request, path);
}
