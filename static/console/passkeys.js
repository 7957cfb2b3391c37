// Says why a passkey could not be made or used; allauth's own script only logs it.
(() => {
  "use strict";
  const isAddress = /^\[|^\d+(\.\d+){3}$/.test(location.hostname);

  document.addEventListener("allauth.error", (event) => {
    event.preventDefault();
    const words = document.getElementById("passkey-words").dataset;
    const name = event.detail.exception?.name;
    let text = words.failed;
    if (isAddress || !window.isSecureContext) text = words.address;
    else if (name === "NotAllowedError" || name === "AbortError") text = words.stopped;
    else if (name === "InvalidStateError") text = words.known;
    const note = document.createElement("div");
    note.className = "toast-note is-error";
    note.textContent = text;
    document.getElementById("toasts").append(note);
  });
})();
