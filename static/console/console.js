// What the frame does beyond links and forms. No framework: pages work without most of it.
(() => {
  "use strict";
  const toastMs = 8000;
  const each = (selector, act, root = document) => root.querySelectorAll(selector).forEach(act);

  async function copy(button) {
    await navigator.clipboard.writeText(button.dataset.copy);
    const label = button.querySelector("[data-copied]");
    if (label) label.textContent = label.dataset.copied;
    button.classList.add("is-copied");
    setTimeout(() => button.classList.remove("is-copied"), 1500);
  }

  function openSide(open) {
    document.body.classList.toggle("side-is-open", open);
    const shade = document.querySelector(".side-shade");
    if (shade) shade.hidden = !open;
    const opener = document.querySelector("[data-open-side]");
    if (opener) opener.setAttribute("aria-expanded", String(open));
    if (open) document.querySelector("#side a")?.focus();
    else opener?.focus();
  }

  // A form with data-confirm asks first: title, text, the word of its button, and to type
  // data-confirm-type where money or data would be destroyed.
  function confirmFirst(form, submitter) {
    const dialog = document.getElementById("confirm");
    const go = dialog.querySelector(".btn-danger");
    const typed = dialog.querySelector(".confirm-type");
    const word = form.dataset.confirmType || "";
    dialog.querySelector("h2").textContent = form.dataset.confirm;
    dialog.querySelector("p").textContent = form.dataset.confirmText || "";
    go.textContent = form.dataset.confirmButton || submitter?.textContent.trim() || "OK";
    typed.hidden = !word;
    typed.querySelector("code").textContent = word;
    const input = typed.querySelector("input");
    input.value = "";
    go.disabled = Boolean(word);
    input.oninput = () => { go.disabled = input.value !== word; };
    dialog.returnValue = "";
    dialog.onclose = () => {
      if (dialog.returnValue !== "go") return;
      form.dataset.confirmed = "1";
      form.requestSubmit(submitter || undefined);
    };
    dialog.showModal();
  }

  function chooseTab(tab) {
    const tabs = tab.closest("[data-tabs]");
    each("[role=tab]", (one) => {
      const isOn = one === tab;
      one.setAttribute("aria-selected", String(isOn));
      one.tabIndex = isOn ? 0 : -1;
      document.getElementById(one.getAttribute("aria-controls")).hidden = !isOn;
    }, tabs);
    tab.focus();
  }

  document.addEventListener("click", (event) => {
    const target = event.target;
    const button = target.closest("[data-copy]");
    if (button) { copy(button); return; }
    if (target.closest("[data-open-side]")) openSide(true);
    if (target.closest("[data-close-side]")) openSide(false);
    target.closest("[data-dismiss]")?.parentElement.remove();
    const tab = target.closest("[role=tab]");
    if (tab?.closest("[data-tabs]")) chooseTab(tab);
    each("details.menu[open]", (menu) => { if (!menu.contains(target)) menu.open = false; });
  });

  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!form.dataset.confirm) return;
    if (form.dataset.confirmed) { delete form.dataset.confirmed; return; }
    event.preventDefault();
    event.stopImmediatePropagation();
    confirmFirst(form, event.submitter);
  }, true);

  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
      const search = document.getElementById("search");
      if (search) { event.preventDefault(); search.focus(); search.select(); }
      return;
    }
    const tab = event.target.closest?.("[data-tabs] [role=tab]");
    if (tab && (event.key === "ArrowRight" || event.key === "ArrowLeft")) {
      const all = [...tab.parentElement.children];
      const step = event.key === "ArrowRight" ? 1 : all.length - 1;
      chooseTab(all[(all.indexOf(tab) + step) % all.length]);
      return;
    }
    if (event.key === "Escape") {
      const menu = document.querySelector("details.menu[open]");
      if (menu) { menu.open = false; menu.querySelector("summary").focus(); return; }
      if (document.body.classList.contains("side-is-open")) { openSide(false); return; }
    }
    const drawer = document.getElementById("drawer");
    if (!drawer || document.querySelector("dialog[open]") || event.target.matches("input, textarea, select, [role=tab]")) return;
    const where = {
      Escape: "closeUrl", ArrowUp: "previousUrl", ArrowLeft: "previousUrl", ArrowDown: "nextUrl", ArrowRight: "nextUrl",
    }[event.key];
    if (where && drawer.dataset[where]) { event.preventDefault(); window.location.assign(drawer.dataset[where]); }
  });

  function arrive(root) {
    each("[data-width]", (bar) => { bar.style.width = `${bar.dataset.width}%`; }, root);
    each("[data-ratio]", (box) => { box.style.aspectRatio = box.dataset.ratio; }, root);
    each(".toast-note:not(.is-error)", (note) => setTimeout(() => note.remove(), toastMs), root);
    root.querySelector("[data-autofocus]")?.focus();
  }
  // A new organization begins in the browser's own time zone.
  function guessTimeZone() {
    const select = document.querySelector("select[data-time-zone]");
    const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
    // What was chosen before an error stays.
    if (document.querySelector(".field-error")) return;
    if (select && [...select.options].some((one) => one.value === zone)) select.value = zone;
  }

  document.addEventListener("DOMContentLoaded", () => { arrive(document); guessTimeZone(); });
  document.addEventListener("htmx:load", (event) => { if (event.target !== document.body) arrive(event.target); });
  document.addEventListener("htmx:responseError", (event) => {
    // Answers of errors are pages of their own; show what such a page says in place.
    const id = event.detail.xhr.getResponseHeader("X-Request-Id");
    const note = document.createElement("div");
    note.className = "toast-note is-error";
    note.textContent = `${event.detail.xhr.status} · ${id || ""}`;
    document.getElementById("toasts").append(note);
  });
})();
