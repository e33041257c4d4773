// An open <details class="switcher"> closes on Escape and on a click elsewhere, as menus do.

function close(except) {
  for (const menu of document.querySelectorAll("details.switcher[open]")) {
    if (!menu.contains(except)) menu.open = false;
  }
}

document.addEventListener("click", (event) => close(event.target));
document.addEventListener("keydown", (event) => {
  const menu = document.activeElement?.closest("details.switcher[open]");
  if (event.key !== "Escape" || !menu) return;
  menu.open = false;
  menu.querySelector("summary").focus();
});
