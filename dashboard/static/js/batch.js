// The page of one batch follows its stream: <div data-batch="address">. What changes is marked with `data-word` (text)
// and `data-bar` (a part of the bar). The stream rests while the tab is hidden or the Pause button is pressed; when the
// batch has ended the page is loaded again, since it says other things then.

import { follow } from "./followed.js";

const region = document.querySelector("[data-batch]");

function show(progress) {
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

follow(region.dataset.batch, {
  progress: show,
  end(_, leave) {
    leave();
    location.reload();
  },
});
