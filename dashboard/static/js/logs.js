// The live tail of the logs: <section data-tail="address"> with a table body "log-rows". New rows come on top; of what
// is older than the newest 200 nothing stays. It rests while the tab is hidden or the Pause button is pressed, and
// catches up afterwards.

import { follow } from "./followed.js";

const region = document.querySelector("[data-tail]");
const body = document.getElementById("log-rows");
const counter = document.querySelector("[data-tail-count]");
const MOST = 200;
let dropped = 0;

function show(come) {
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

counter.textContent = words();
follow(region.dataset.tail, { rows: show });
