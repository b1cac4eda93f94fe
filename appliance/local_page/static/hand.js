// A handheld: the screen stays on, nothing leads away, and a page left alone goes back by itself.
"use strict";

const HOME_AFTER_MS = 60000;

// A long press is a thumb that rests, not somebody who wants a menu.
document.addEventListener("contextmenu", (event) => event.preventDefault());
document.addEventListener("dragstart", (event) => event.preventDefault());

async function keepAwake() {
  if (!("wakeLock" in navigator) || document.visibilityState !== "visible") {
    return;
  }
  try {
    await navigator.wakeLock.request("screen");
  } catch {
    // The battery saver or the browser's owner says no: the screen then goes dark as it is set up to.
  }
}

document.addEventListener("visibilitychange", keepAwake);
keepAwake();

// The trigger is pulled without leaving the page: what is shown comes by the stream.
document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (form.dataset.quiet !== "yes") {
    return;
  }
  event.preventDefault();
  try {
    await fetch(form.action, {
      method: "POST",
      body: new URLSearchParams(new FormData(form)),
      redirect: "manual",
    });
  } catch {
    // The gate is not heard: the stream says so on the page.
  } finally {
    delete form.dataset.sent;
  }
});

const home = document.querySelector("[data-home]")?.dataset.home;

// A supervisor's session does not stay open behind whoever takes the handheld next.
async function goHome() {
  const leaving = document.querySelector("form[action='/gate/logout']");
  if (leaving !== null) {
    try {
      await fetch(leaving.action, {
        method: "POST",
        body: new URLSearchParams(new FormData(leaving)),
        redirect: "manual",
      });
    } catch {
      // The gate is not heard: the session then ends by its own time.
    }
  }
  location.assign(home);
}

if (home) {
  let waiting = 0;
  const wait = () => {
    clearTimeout(waiting);
    waiting = setTimeout(goHome, HOME_AFTER_MS);
  };
  for (const sign of ["pointerdown", "keydown", "input"]) {
    document.addEventListener(sign, wait, { passive: true });
  }
  wait();
  document.querySelector("[data-leaves]")?.addEventListener("click", (event) => {
    event.preventDefault();
    goHome();
  });
}
