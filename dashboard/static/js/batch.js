// The page of one batch follows its stream: <div data-batch="address">. What changes is marked with `data-word` (text)
// and `data-bar` (a part of the bar). The stream rests while the tab is hidden or the Pause button is pressed; when the
// batch has ended the page is loaded again, since it says other things then.

const region = document.querySelector("[data-batch]");
const note = document.querySelector("[data-live-note]");
const PATIENCE = 3; // times that the stream is asked for in vain
const AGAIN_MS = 10000;
let source = null;
let refused = 0;
let timer = null;

function follow() {
  clearTimeout(timer);
  const resting = document.hidden || document.documentElement.hasAttribute("data-paused");
  if (resting) leave();
  else if (!source) open();
}

function open() {
  source = new EventSource(region.dataset.batch);
  source.addEventListener("progress", (event) => show(JSON.parse(event.data)));
  source.addEventListener("end", () => {
    leave();
    location.reload();
  });
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

function show(progress) {
  refused = 0;
  note.hidden = true;
  for (const [name, words] of Object.entries(progress.words)) {
    for (const place of region.querySelectorAll(`[data-word="${name}"]`)) {
      if (place.textContent !== words) place.textContent = words; // else it would be read out each time
    }
  }
  for (const part of progress.bar) {
    const drawn = region.querySelector(`[data-bar="${part.state}"]`);
    drawn.setAttribute("x", part.x);
    drawn.setAttribute("width", part.width);
  }
}

new MutationObserver(follow).observe(document.documentElement, { attributeFilter: ["data-paused"] });
document.addEventListener("visibilitychange", follow);
addEventListener("pagehide", leave);
addEventListener("pageshow", follow);
follow();
