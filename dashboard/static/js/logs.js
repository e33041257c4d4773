// The live tail of the logs: <section data-tail="address"> with a table body "log-rows". New rows come on top; of what
// is older than the newest 200 nothing stays. It rests while the tab is hidden or the Pause button is pressed, and
// catches up afterwards.

const region = document.querySelector("[data-tail]");
const body = document.getElementById("log-rows");
const counter = document.querySelector("[data-tail-count]");
const note = document.querySelector("[data-live-note]");
const MOST = 200;
const PATIENCE = 3; // times that the stream is asked for in vain
const AGAIN_MS = 10000;
let source = null;
let refused = 0;
let timer = null;
let dropped = 0;

function follow() {
  clearTimeout(timer);
  const resting = document.hidden || document.documentElement.hasAttribute("data-paused");
  if (resting) leave();
  else if (!source) open();
}

function open() {
  source = new EventSource(region.dataset.tail);
  source.addEventListener("rows", (event) => show(JSON.parse(event.data)));
  source.addEventListener("error", lost);
}

function leave() {
  source?.close();
  source = null;
}

/** A stream that merely ends is asked for again by the browser; one that is refused is not. */
function lost() {
  if (source?.readyState !== EventSource.CLOSED) return;
  leave();
  refused += 1;
  note.hidden = refused < PATIENCE;
  if (refused < PATIENCE) timer = setTimeout(follow, AGAIN_MS);
}

function show(come) {
  refused = 0;
  note.hidden = true;
  for (const html of come.rows) add(html);
  dropped += come.dropped;
  while (body.rows.length > MOST) {
    body.rows[body.rows.length - 1].remove();
    dropped += 1;
  }
  counter.textContent = words();
}

/** In the order of time. A request that was tried again takes the place of its first try. */
function add(html) {
  const holder = document.createElement("template");
  holder.innerHTML = html; // made and escaped by the server, as the rest of the page
  const row = holder.content.querySelector("tr");
  const held = body.querySelector(`[data-request="${CSS.escape(row.dataset.request)}"]`);
  if (held?.dataset.entry === row.dataset.entry) return;
  held?.remove();
  row.dataset.new = "";
  const older = [...body.rows].find((one) => one.dataset.at <= row.dataset.at);
  body.insertBefore(row, older ?? null);
}

function words() {
  const shown = `${body.rows.length} shown`;
  return dropped ? `${shown}, ${dropped} not kept` : shown;
}

new MutationObserver(follow).observe(document.documentElement, { attributeFilter: ["data-paused"] });
document.addEventListener("visibilitychange", follow);
addEventListener("pagehide", leave);
addEventListener("pageshow", follow);
counter.textContent = words();
follow();
