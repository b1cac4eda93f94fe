// What every page of the gate shares: parts that follow the gate, and questions before a deed.
"use strict";

const lost = document.getElementById("lost");

function replacePart(name, html) {
  const place = document.getElementById(name);
  if (place === null) {
    return;
  }
  // What the gate sends is escaped there; parsed so, nothing in it would run here either.
  const parsed = new DOMParser().parseFromString(html, "text/html");
  const focused = place.contains(document.activeElement) ? document.activeElement.id : "";
  place.replaceChildren(...parsed.body.childNodes);
  if (focused !== "") {
    document.getElementById(focused)?.focus();
  }
}

function follow(path) {
  const events = new EventSource(path);
  events.addEventListener("open", () => {
    lost.textContent = "";
    document.body.classList.remove("is-late");
  });
  events.addEventListener("error", () => {
    // The browser tries again by itself, unless the gate refused.
    lost.textContent = lost.dataset.text;
    document.body.classList.add("is-late");
  });
  events.addEventListener("ended", () => {
    events.close();
    location.assign(`/gate/login?ended=1&then=${encodeURIComponent(location.pathname)}`);
  });
  events.addEventListener("message", (event) => {
    for (const [name, html] of Object.entries(JSON.parse(event.data))) {
      replacePart(name, html);
    }
  });
}

if (document.body.dataset.live) {
  follow(document.body.dataset.live);
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.dataset.confirm && !window.confirm(form.dataset.confirm)) {
    event.preventDefault();
    return;
  }
  // A second press while the gate works is no second deed.
  if (form.dataset.sent === "yes") {
    event.preventDefault();
  }
  form.dataset.sent = "yes";
});

window.addEventListener("pageshow", () => {
  for (const form of document.forms) {
    delete form.dataset.sent;
  }
});
