// Regions that refresh themselves (data-live, driven by htmx) rest while the tab is hidden, while the Pause button
// is pressed, and while somebody selects text in them.

const button = document.querySelector("[data-live-pause]");
let paused = false;

if (button) {
  button.hidden = false;
  button.addEventListener("click", () => {
    paused = !paused;
    document.documentElement.toggleAttribute("data-paused", paused);
  });
}

document.addEventListener("htmx:before:request", (event) => {
  if (event.target.closest?.("[data-live]") && resting(event.target)) event.preventDefault();
});

function resting(region) {
  return paused || document.hidden || reading(region);
}

function reading(region) {
  const selection = getSelection();
  return !selection.isCollapsed && region.contains(selection.anchorNode);
}
