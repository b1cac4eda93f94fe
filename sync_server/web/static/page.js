// Small services on every page: an error summary takes the focus, a form is sent once.

document.querySelector("[data-summary]")?.focus();

for (const form of document.querySelectorAll("form[method=post]")) {
  form.addEventListener("submit", () => {
    // after the browser has taken the pressed button's own value along
    setTimeout(() => {
      for (const button of form.querySelectorAll("button")) button.disabled = true;
    });
  });
}

// A page shown again from the browser's memory can be sent again.
addEventListener("pageshow", () => {
  for (const button of document.querySelectorAll("form[method=post] button")) {
    button.disabled = button.hasAttribute("data-disabled");
  }
});
