// Ctrl+K or Cmd+K, and the Search link: a dialog that finds pages, names and ids. The server finds; arrows choose.

const palette = document.getElementById("palette");
const words = document.getElementById("palette-words");
const hits = document.getElementById("palette-hits");
const PAUSE_MS = 120; // between a key and the question
let timer = null;
let asked = null;

if (palette) {
  document.addEventListener("keydown", (event) => {
    if (event.key.toLowerCase() !== "k" || !(event.ctrlKey || event.metaKey) || event.shiftKey || event.altKey) return;
    event.preventDefault();
    open();
  });
  document.addEventListener("click", (event) => {
    if (event.target === palette) palette.close(); // beside it
    if (!event.target.closest?.("[data-palette]")) return;
    event.preventDefault();
    open();
  });
  words.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(ask, PAUSE_MS);
  });
  palette.addEventListener("keydown", choose);
}

function open() {
  if (palette.open) return;
  for (const menu of document.querySelectorAll("[popover]:popover-open")) menu.hidePopover();
  palette.showModal();
  words.select();
  ask();
}

async function ask() {
  asked?.abort();
  if (words.value.trim().startsWith("sk-")) {
    hits.textContent = "A whole key does not belong into an address. API keys has a field for it: Whose key is this?";
    return;
  }
  asked = new AbortController();
  const address = `${palette.dataset.address}?q=${encodeURIComponent(words.value)}`;
  try {
    const answer = await fetch(address, { headers: { "HX-Request": "true" }, signal: asked.signal });
    if (answer.ok) show(await answer.text());
    else hits.textContent = "Search is not available right now.";
  } catch (error) {
    if (error.name !== "AbortError") hits.textContent = "Search is not available right now.";
  }
}

/** Our own server's fragment, in which all that people wrote is escaped; scripts in it would not run. */
function show(fragment) {
  hits.replaceChildren(...new DOMParser().parseFromString(fragment, "text/html").body.childNodes);
}

function choose(event) {
  const links = [...hits.querySelectorAll("a")];
  const at = links.indexOf(document.activeElement);
  if (event.key === "Enter" && at < 0 && links.length) return links[0].click();
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step) return;
  event.preventDefault();
  (links[at + step] ?? words).focus();
}
