// Offers the zone of this browser where another one is kept; pressing it is a form like any other.

const offer = document.querySelector("[data-zone-offer]");
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;

if (offer && zone?.includes("/") && known(offer.elements.time_zone.value) !== zone) {
  offer.elements.time_zone.value = zone;
  offer.querySelector("[data-zone-name]").textContent = zone;
  offer.hidden = false;
}

// As this browser calls it: zones have been renamed.
function known(name) {
  try {
    return new Intl.DateTimeFormat("en", { timeZone: name }).resolvedOptions().timeZone;
  } catch {
    return name;
  }
}
