// Copy buttons: <button data-copy="id of what to copy" hidden>. Without this file they stay hidden.

for (const button of document.querySelectorAll("[data-copy]")) button.hidden = false;
new MutationObserver(() => {
  for (const button of document.querySelectorAll("[data-copy][hidden]")) button.hidden = false;
}).observe(document.body, { childList: true, subtree: true });

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const source = document.getElementById(button.dataset.copy);
  show(button, (await copied(source)) ? "Copied" : "Press Ctrl+C");
});

/** True when the text is on the clipboard; else it is selected, ready to be copied by hand. */
async function copied(source) {
  if (navigator.clipboard) {
    try {
      await navigator.clipboard.writeText(source.textContent);
      return true;
    } catch {
      // Refused by the browser: the older way is left.
    }
  }
  getSelection().selectAllChildren(source);
  return document.execCommand("copy"); // all there is on plain http
}

function show(button, words) {
  const label = button.querySelector("[data-copy-label]");
  button.dataset.done = "";
  label.textContent = words;
  label.setAttribute("role", "status");
  clearTimeout(button.timer);
  button.timer = setTimeout(() => {
    delete button.dataset.done;
    label.removeAttribute("role");
    label.textContent = "Copy";
  }, 2000);
}
