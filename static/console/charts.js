// Draws every [data-chart] figure from the JSON block whose id it names:
//   {"kind": "bar" | "line", "stacked": true, "unit": "MXN", "labels": [...],
//    "series": [{"name": "...", "values": [...], "url": "..."}]}
// and writes the same values as a table for screen readers. Values are numbers or decimal strings.
(() => {
  "use strict";
  const most = 7;
  const palette = ["#1f6f5c", "#e08e2b", "#3b6fb5", "#b5476b", "#7a5bb0", "#4f9aa8", "#8a7a3c"];
  const others = "#8a94a0";
  const charts = [];

  // The same name has the same colour on every page, whatever stands beside it.
  function colorOf(name, taken) {
    let hash = 0;
    for (const letter of name) hash = (hash * 31 + letter.codePointAt(0)) >>> 0;
    for (let step = 0; step < palette.length; step += 1) {
      const color = palette[(hash + step) % palette.length];
      if (!taken.has(color)) { taken.add(color); return color; }
    }
    return others;
  }

  function cell(row, kind, text, scope) {
    const one = document.createElement(kind);
    one.textContent = text;
    if (scope) one.scope = scope;
    row.append(one);
  }

  function tabulate(figure, data) {
    const table = document.createElement("table");
    const head = table.createTHead().insertRow();
    cell(head, "th", data.unit || "", "col");
    data.series.forEach((one) => cell(head, "th", one.name, "col"));
    const body = table.createTBody();
    data.labels.forEach((label, at) => {
      const row = body.insertRow();
      cell(row, "th", label, "row");
      data.series.forEach((one) => cell(row, "td", String(one.values[at] ?? "")));
    });
    // A table is as wide as its cells, whatever it is told: what hides it is around it.
    const hidden = document.createElement("div");
    hidden.className = "visually-hidden";
    hidden.append(table);
    figure.append(hidden);
  }

  function draw(figure) {
    const data = JSON.parse(document.getElementById(figure.dataset.chart).textContent);
    if (data.labels.length < 3) { figure.hidden = true; return; }
    if (!figure.querySelector("table")) tabulate(figure, data);
    const style = getComputedStyle(document.body);
    const ink = style.getPropertyValue("--tblr-secondary").trim() || "#667";
    const line = style.getPropertyValue("--tblr-border-color").trim() || "#ddd";
    const still = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
    const taken = new Set();
    const kind = data.kind || "bar";
    charts.push(new window.Chart(figure.querySelector("canvas"), {
      type: kind,
      data: {
        labels: data.labels,
        datasets: data.series.slice(0, most + 1).map((one, at) => {
          const color = at < most ? colorOf(one.name, taken) : others;
          return { label: one.name, data: one.values.map((value) => (value === null ? null : Number(value))), spanGaps: true, backgroundColor: color,
            borderColor: color, borderWidth: kind === "line" ? 2 : 0, pointRadius: 0,
            pointHitRadius: 12, borderRadius: 2, maxBarThickness: 36 };
        }),
      },
      options: {
        maintainAspectRatio: false,
        animation: still ? false : { duration: 150 },
        interaction: { mode: "index", intersect: false },
        onClick: (_event, hits) => {
          const url = hits.length ? data.series[hits[0].datasetIndex].url : "";
          if (url) window.location.assign(url);
        },
        plugins: {
          legend: { display: data.series.length > 1, position: "bottom", labels: { color: ink, boxWidth: 10, boxHeight: 10 } },
          tooltip: { callbacks: { label: (item) => `${item.dataset.label}: ${item.formattedValue} ${data.unit || ""}` } },
        },
        scales: {
          x: { stacked: Boolean(data.stacked), grid: { display: false }, ticks: { color: ink, maxRotation: 0, autoSkipPadding: 16 } },
          y: { stacked: Boolean(data.stacked), beginAtZero: data.from_zero !== false, grid: { color: line }, border: { display: false },
            ticks: { color: ink, maxTicksLimit: 5 }, title: { display: Boolean(data.unit), text: data.unit, color: ink } },
        },
      },
    }));
  }

  function drawAll(root) { root.querySelectorAll("[data-chart]").forEach(draw); }
  function drawAgain() { charts.splice(0).forEach((one) => one.destroy()); drawAll(document); }
  document.addEventListener("DOMContentLoaded", () => drawAll(document));
  document.addEventListener("htmx:load", (event) => { if (event.target !== document.body) drawAll(event.target); });
  new MutationObserver(drawAgain).observe(document.documentElement, { attributeFilter: ["data-bs-theme"] });
})();
