// A page with a secret, <div data-secret="address without it">, shows it once: a reload or the way back leads to that
// address, and nothing of it stays in a page that the browser keeps for the way back.

const region = document.querySelector("[data-secret]");
const address = region?.dataset.secret;

if (region) {
  history.replaceState(null, "", address);
  addEventListener("pagehide", () => region.remove());
  addEventListener("pageshow", (event) => {
    if (event.persisted) location.replace(address);
  });
}
