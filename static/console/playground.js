// The playground beyond its form: seconds that pass, at most four models, Control+Enter, and what
// the form has to know of files before they are sent.
(() => {
  "use strict";

  function tick() {
    document.querySelectorAll("[data-since]").forEach((one) => {
      const seconds = Math.max(0, (Date.now() - Date.parse(one.dataset.since)) / 1000);
      one.textContent = `${seconds.toFixed(0)} s`;
    });
  }

  // With four chosen the others cannot be; without any, what is chosen stays.
  function limit() {
    const list = document.querySelector("[data-most]");
    if (!list) return;
    const boxes = [...list.querySelectorAll("label:not(.is-off) input")];
    const chosen = boxes.filter((one) => one.checked).length;
    boxes.forEach((one) => {
      one.disabled = !one.checked && chosen >= Number(list.dataset.most);
    });
  }

  // How many files there are and the first one's shape decide the price; their sum may be too much.
  async function describe(form) {
    const upload = form.querySelector("#upload");
    const mask = form.querySelector("#mask");
    const files = [...upload.files];
    const masks = mask && !mask.disabled ? [...mask.files] : [];
    const bytes = [...files, ...masks].reduce((sum, one) => sum + one.size, 0);
    upload.setCustomValidity(bytes > Number(form.dataset.maxBytes) ? upload.dataset.tooLarge : "");
    form.querySelector("[name=uploads]").value = files.length || "";
    form.querySelector("[name=masked]").value = masks.length || "";
    const shape = form.querySelector("[name=shape]");
    shape.value = "";
    if (files.length) {
      const bitmap = await createImageBitmap(files[0]).catch(() => null);
      if (bitmap) shape.value = `${bitmap.width}x${bitmap.height}`;
      bitmap?.close();
    }
    shape.dispatchEvent(new Event("change", { bubbles: true }));
  }

  // A mask is offered where all chosen models take one.
  function offerMask() {
    const fields = document.getElementById("fields");
    const mask = document.getElementById("mask");
    if (!fields || !mask) return;
    const isOff = fields.dataset.takesMask !== "yes";
    mask.disabled = isOff;
    mask.closest(".mask-field").hidden = isOff;
  }

  document.addEventListener("change", (event) => {
    limit();
    if (event.target.matches("#upload, #mask")) describe(event.target.form);
  });
  document.addEventListener("htmx:afterSettle", offerMask);
  document.addEventListener("DOMContentLoaded", limit);
  document.addEventListener("click", (event) => {
    const picker = document.querySelector(".picker[open]");
    if (picker && !picker.contains(event.target)) picker.open = false;
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      const picker = document.querySelector(".picker[open]");
      if (picker) { picker.open = false; picker.querySelector("summary").focus(); }
    }
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && event.target.id === "prompt") {
      event.target.form.requestSubmit();
    }
  });
  setInterval(tick, 1000);
})();
