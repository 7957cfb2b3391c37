// Choosing many images: how many there are, all at once, a range with Shift. By keyboard: arrows walk
// the grid, Space chooses, Shift with an arrow chooses a range.
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

  const links = boxes.map((box) => box.parentElement.querySelector("a"));
  const middle = (link) => {
    const box = link.getBoundingClientRect();
    return { x: box.left + box.width / 2, y: box.top + box.height / 2 };
  };

  // The link nearest to one in the row above or below.
  function inNextRow(at, step) {
    const from = middle(links[at]);
    let found = at;
    let row = null;
    for (let next = at + step; next >= 0 && next < links.length; next += step) {
      const to = middle(links[next]);
      if (Math.abs(to.y - from.y) < 8) continue;
      if (row === null) row = to.y;
      if (Math.abs(to.y - row) >= 8) break;
      if (found === at || Math.abs(to.x - from.x) < Math.abs(middle(links[found]).x - from.x)) found = next;
    }
    return found;
  }

  function target(key, at) {
    if (key === "ArrowLeft") return Math.max(at - 1, 0);
    if (key === "ArrowRight") return Math.min(at + 1, links.length - 1);
    if (key === "ArrowUp") return inNextRow(at, -1);
    if (key === "ArrowDown") return inNextRow(at, 1);
    if (key === "Home") return 0;
    if (key === "End") return links.length - 1;
    return null;
  }

  function choose(isChosen, some = boxes) {
    some.forEach((one) => { one.checked = isChosen; });
    count();
  }

  form.querySelector("[data-walk]").addEventListener("keydown", (event) => {
    const at = links.indexOf(event.target.closest("li")?.querySelector("a"));
    if (at < 0) return;
    const to = target(event.key, at);
    const isAll = (event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "a";
    if (to !== null) {
      links[to].focus();
      links[to].scrollIntoView({ block: "nearest" });
      if (event.shiftKey) choose(true, boxes.slice(Math.min(at, to), Math.max(at, to) + 1));
    } else if (event.key === " " && event.target === links[at]) {
      choose(!boxes[at].checked, [boxes[at]]);
      last = boxes[at];
    } else if (isAll) {
      choose(true);
    } else if (event.key === "Escape" && boxes.some((one) => one.checked)) {
      choose(false);
    } else {
      return;
    }
    event.preventDefault();
    // The drawer, if one is open, has the same keys.
    event.stopPropagation();
  });

  // Whoever closes the drawer goes on where they were.
  const opened = links.find((one) => `#${one.id}` === location.hash);
  if (opened && !document.getElementById("drawer")) opened.focus();
  count();
})();
