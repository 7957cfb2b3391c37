// Choosing many images: how many there are, all at once, a range with Shift.
(() => {
  "use strict";
  const form = document.getElementById("selection");
  if (!form) return;
  const boxes = [...form.querySelectorAll("input[name=image]")];
  const all = form.querySelector("[data-choose-all]");
  const output = form.querySelector("[data-chosen]");
  const bar = form.querySelector(".selection-bar");
  let last = null;

  function count() {
    const chosen = boxes.filter((one) => one.checked).length;
    output.textContent = chosen ? String(chosen) : "";
    all.checked = chosen === boxes.length;
    all.indeterminate = chosen > 0 && chosen < boxes.length;
    form.classList.toggle("is-choosing", chosen > 0);
    bar.querySelectorAll("button:not([name])").forEach((one) => { one.disabled = !chosen; });
  }

  all.addEventListener("change", () => {
    boxes.forEach((one) => { one.checked = all.checked; });
    count();
  });
  form.addEventListener("click", (event) => {
    const box = event.target.closest("input[name=image]");
    if (!box) return;
    if (event.shiftKey && last) {
      const [from, to] = [boxes.indexOf(last), boxes.indexOf(box)].sort((a, b) => a - b);
      boxes.slice(from, to + 1).forEach((one) => { one.checked = box.checked; });
    }
    last = box;
    count();
  });
  count();
})();
