// Single keys: `?` lists them, `/` goes to the page's search, `g` and a letter to a page, `j` and `k` along rows.
// They rest while somebody types, while a dialog is open, and where <body data-shortcuts="off">.

const ROWS = ".rows tbody tr a.row-link, .batch-list a";
const PATIENCE_MS = 1500; // between `g` and its letter
let waiting = null;

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || resting(event.target)) return;
  const went = waiting ? go(event.key) : press(event.key);
  if (went) event.preventDefault();
});

function resting(target) {
  if (document.body.dataset.shortcuts === "off" || document.querySelector("dialog[open], [popover]:popover-open")) return true;
  return Boolean(target.closest?.("input, textarea, select, [contenteditable]"));
}

function press(key) {
  if (key === "?") return shown(document.getElementById("shortcuts"));
  if (key === "/") return focused(document.querySelector("[data-search]"));
  if (key === "j" || key === "k") return along(key === "j" ? 1 : -1);
  if (key !== "g") return false;
  waiting = setTimeout(forget, PATIENCE_MS);
  return true;
}

function go(letter) {
  forget();
  const link = document.querySelector(`[data-go="${CSS.escape(letter)}"]`);
  link?.click();
  return Boolean(link);
}

function forget() {
  clearTimeout(waiting);
  waiting = null;
}

function along(step) {
  const rows = [...document.querySelectorAll(ROWS)].filter((row) => row.checkVisibility());
  const at = rows.indexOf(document.activeElement);
  return focused(rows[at < 0 && step < 0 ? rows.length - 1 : at + step]);
}

function focused(element) {
  element?.focus();
  element?.select?.();
  return Boolean(element);
}

function shown(dialog) {
  dialog?.showModal();
  return Boolean(dialog);
}
