// The playground beyond its form: seconds that pass, at most four models, Control+Enter.
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

  document.addEventListener("change", limit);
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
