// Keys on the screen, for a screen without a keyboard.
"use strict";

const pad = document.getElementById("pad");
const number = document.getElementById("number");

if (pad !== null && number !== null) {
  pad.hidden = false;
  pad.addEventListener("click", (event) => {
    const key = event.target.closest("[data-key]");
    if (key === null) {
      return;
    }
    number.value = key.dataset.key === "" ? number.value.slice(0, -1) : number.value + key.dataset.key;
  });
}
