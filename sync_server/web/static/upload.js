// Sends the ticket file and shows how far it is. Without this script the form sends itself.

const form = document.querySelector("[data-upload]");
const progress = form.querySelector("[data-progress]");
const bar = progress.querySelector("progress");
const words = progress.querySelector("[data-progress-words]");
const errors = form.querySelector("[data-upload-errors]");

function refuse(lines) {
  progress.hidden = true;
  errors.replaceChildren(
    ...lines.map((line) => {
      const paragraph = document.createElement("p");
      paragraph.textContent = line;
      return paragraph;
    }),
  );
  errors.hidden = false;
  for (const button of form.querySelectorAll("button")) button.disabled = false;
}

function finish(request) {
  let answer = {};
  try {
    answer = JSON.parse(request.responseText);
  } catch {
    // no answer of ours: a page of an error, or of a proxy
  }
  if (request.status === 200 && answer.goal) location.assign(answer.goal);
  else if (request.responseURL.includes("/login")) location.assign("/login");
  else if (request.status === 413) refuse([words.dataset.large]);
  else refuse(answer.errors ?? [words.dataset.lost]);
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const request = new XMLHttpRequest();
  request.open("POST", form.action);
  request.setRequestHeader("Accept", "application/json");
  request.setRequestHeader("X-CSRF-Token", document.querySelector("meta[name=csrf]").content);
  request.upload.addEventListener("progress", ({ loaded, total }) => {
    bar.value = (100 * loaded) / total;
  });
  request.upload.addEventListener("load", () => {
    bar.removeAttribute("value"); // the server reads: how long is not known
    words.textContent = words.dataset.reading;
  });
  request.addEventListener("load", () => finish(request));
  request.addEventListener("error", () => refuse([words.dataset.lost]));
  errors.hidden = true;
  bar.value = 0;
  progress.hidden = false;
  words.textContent = words.dataset.sending;
  request.send(new FormData(form));
});
