// Passkeys: <form data-passkey="get|create" data-options="where the options are"> with a hidden field `credential`.
// Forms that only work with a passkey are hidden until it is known that the browser has them.

const able = Boolean(window.PublicKeyCredential?.parseRequestOptionsFromJSON);

for (const form of document.querySelectorAll("[data-passkey]")) {
  if (able) form.hidden = false;
  else say(form, "This browser cannot use passkeys here: they need https.");
  form.addEventListener("submit", (event) => {
    if (form.elements.credential.value) return;
    event.preventDefault();
    if (able) prove(form);
  });
}

async function prove(form) {
  say(form, "");
  try {
    const credential = await ask(form.dataset.passkey, await options(form));
    form.elements.credential.value = JSON.stringify(credential.toJSON());
    form.submit();
  } catch (problem) {
    say(form, words(problem));
  }
}

async function options(form) {
  const answer = await fetch(form.dataset.options, {
    method: "POST",
    headers: { "X-CSRFToken": form.elements.csrfmiddlewaretoken.value },
    redirect: "error",
  });
  if (!answer.ok) throw new Error(`The gateway answered ${answer.status}. Reload the page and try again.`);
  return (await answer.json()).publicKey;
}

function ask(kind, json) {
  if (kind === "create") {
    return navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(json) });
  }
  return navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(json) });
}

function words(problem) {
  if (problem.name === "NotAllowedError") return "No passkey was used. Try again.";
  if (problem.name === "InvalidStateError") return "This device has a passkey for the account already.";
  if (problem.name === "SecurityError") return "Passkeys need a host name with https, or localhost; an IP address has none.";
  return problem.message;
}

function say(form, text) {
  const note = form.querySelector("[data-passkey-note]");
  if (note) note.textContent = text;
}
