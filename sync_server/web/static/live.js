// Keeps the live page live: takes rendered parts from the server's event stream, says plainly when
// the connection is lost, and sends people whose session has ended to the login.

import { morphInto } from "./morph.js";

const SILENCE_MS_MAX = 25_000; // the server says something every ten seconds
const RETRY_MS = 3_000;
const REST_AFTER_MS = 60_000; // browsers allow six connections: a page nobody sees gives its up
const SPOKEN_EVERY_MS = 30_000; // a reader of the screen is not interrupted more often

const link = document.querySelector("[data-link]");
const lost = document.querySelector("[data-lost]");
const lostWords = document.querySelector("[data-lost-words]");
const lastFigures = document.querySelector('[data-part="at"]');
const spoken = document.querySelector("[data-spoken]");
const toSpeak = document.querySelector('[data-part="spoken"]');

let stream = null;
let heardAt = performance.now();
let spokenAt = -SPOKEN_EVERY_MS;
let lastSpoken = sentence();
let retry = 0;
let rest = 0;
let isResting = false;

function show(state) {
  for (const line of link.querySelectorAll("[data-when]")) line.hidden = line.dataset.when !== state;
  document.documentElement.dataset.link = state;
  if (state === "lost") {
    if (!lost.firstElementChild) {
      const words = lostWords.content.cloneNode(true);
      words.querySelector("[data-lost-at]").textContent = lastFigures.textContent.trim();
      lost.append(words);
    }
  } else if (state === "good") {
    lost.replaceChildren();
  }
}

function heard() {
  heardAt = performance.now();
  show("good");
}

function sentence() {
  return toSpeak.textContent.replace(/\s+/g, " ").trim();
}

function speak() {
  const text = sentence();
  const now = performance.now();
  if (text === lastSpoken || now - spokenAt < SPOKEN_EVERY_MS) return;
  spoken.textContent = text;
  lastSpoken = text;
  spokenAt = now;
}

function onParts(event) {
  for (const [part, html] of Object.entries(JSON.parse(event.data).parts)) {
    const target = document.querySelector(`[data-part="${CSS.escape(part)}"]`);
    if (target) morphInto(target, html);
  }
  heard();
  speak();
}

async function isSignedOut() {
  try {
    const answer = await fetch("/session", { cache: "no-store", redirect: "manual" });
    return answer.status === 401;
  } catch {
    return false; // no answer at all says nothing about the session
  }
}

async function onError() {
  show("lost");
  if (stream.readyState !== EventSource.CLOSED) return; // the browser tries again by itself
  clearTimeout(retry);
  if (await isSignedOut()) location.assign("/login");
  else retry = setTimeout(open, RETRY_MS);
}

function open() {
  stream?.close();
  heardAt = performance.now();
  stream = new EventSource(link.dataset.stream);
  stream.addEventListener("parts", onParts);
  stream.addEventListener("beat", heard);
  stream.addEventListener("ended", () => {
    stream.close();
    location.assign("/login");
  });
  stream.addEventListener("error", onError);
}

function onVisibility() {
  clearTimeout(rest);
  if (document.hidden) {
    rest = setTimeout(() => {
      isResting = true;
      stream.close();
    }, REST_AFTER_MS);
  } else if (isResting) {
    isResting = false;
    show("wait");
    open();
  }
}

function watch() {
  if (isResting) return;
  speak();
  if (performance.now() - heardAt <= SILENCE_MS_MAX) return;
  show("lost");
  open();
}

show("wait");
open();
setInterval(watch, 1_000);
document.addEventListener("visibilitychange", onVisibility);
addEventListener("pagehide", () => stream.close());
addEventListener("pageshow", (event) => {
  if (event.persisted) open();
});
