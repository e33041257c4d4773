// A stream of events that a page follows: it rests while the tab is hidden or the Pause button is pressed. One that is
// refused is asked for a few times more; then the page's [data-live-note] says so.

const PATIENCE = 3; // times that the stream is asked for in vain
const AGAIN_MS = 10000;
const note = document.querySelector("[data-live-note]");

/** `heard` are listeners by the names of events; each is given the event's data, and what leaves the stream. */
export function follow(address, heard) {
  let source = null;
  let refused = 0;
  let timer = null;

  function look() {
    clearTimeout(timer);
    const resting = document.hidden || document.documentElement.hasAttribute("data-paused");
    if (resting) leave();
    else if (!source) open();
  }

  function open() {
    source = new EventSource(address);
    for (const [name, listener] of Object.entries(heard)) {
      source.addEventListener(name, (event) => {
        refused = 0;
        note.hidden = true;
        listener(JSON.parse(event.data), leave);
      });
    }
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
    if (refused < PATIENCE) timer = setTimeout(look, AGAIN_MS);
  }

  new MutationObserver(look).observe(document.documentElement, { attributeFilter: ["data-paused"] });
  document.addEventListener("visibilitychange", look);
  addEventListener("pagehide", leave);
  addEventListener("pageshow", (event) => event.persisted && look()); // come back to, not loaded
  look();
}
