// Follows the gate's display: each event brings a picture's number and its words.
"use strict";

const picture = document.getElementById("picture");
const answer = document.getElementById("answer");
const lost = document.getElementById("lost");

const events = new EventSource("events");

events.addEventListener("open", () => {
  lost.textContent = "";
  document.body.classList.remove("is-late");
});

events.addEventListener("error", () => {
  // The browser tries again by itself, unless the gate refused.
  lost.textContent = lost.dataset.text;
  document.body.classList.add("is-late");
});

events.addEventListener("message", (event) => {
  const { revision, text } = JSON.parse(event.data);
  if (revision === 0) {
    return;
  }
  // The time makes the address new also after the gate restarted and counts from one again.
  picture.src = `display.png?revision=${revision}&at=${Date.now()}`;
  if (answer.textContent !== text) {
    answer.lang = answer.dataset.language;
    answer.textContent = text;
  }
});
