// Draws each chart of a page with Chart.js from a table of the same page, so that both say the same. Without scripts the tables remain.
(function () {
  "use strict";
  var root = document.documentElement;
  var drawn = [];

  function colour(name) { return window.getComputedStyle(root).getPropertyValue(name).trim(); }

  function read(canvas) {
    var table = document.getElementById(canvas.dataset.table);
    var head = table.tHead.rows[0].cells;
    var rows = Array.from(table.tBodies[0].rows);
    return {
      labels: rows.map(function (row) { return row.cells[0].dataset.short || row.cells[0].textContent.trim(); }),
      places: rows.map(function (row) { return Number(row.cells[0].dataset.value); }),
      series: canvas.dataset.columns.split(" ").map(function (place) {
        var cells = rows.map(function (row) { return row.cells[Number(place)]; });
        return {
          name: head[Number(place)].textContent.trim(),
          colour: head[Number(place)].dataset.colour || "--open",
          values: cells.map(function (cell) { return Number(cell.dataset.value); }),
          texts: cells.map(function (cell) { return cell.textContent.trim(); })
        };
      })
    };
  }

  // Lengths of time are in seconds in the table; an axis has one unit for all of its ticks.
  function ticksOfTime(longest) {
    var units = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
    var unit = units.find(function (each) { return longest >= 2 * each[0]; }) || units[3];
    var step = longest / unit[0] / 3 || 1;
    var power = Math.pow(10, Math.floor(Math.log10(step)));
    var round = [1, 2, 5, 10].find(function (each) { return each * power >= step; }) * power;
    return {
      color: colour("--soft"), stepSize: round * unit[0],
      callback: function (seconds) { return (seconds / unit[0]).toLocaleString("en", { maximumFractionDigits: 2 }) + " " + unit[1]; }
    };
  }

  function axis(more) {
    return Object.assign({
      beginAtZero: true,
      border: { display: false },
      grid: { color: colour("--line") },
      ticks: { color: colour("--soft"), maxRotation: 0, precision: 0, autoSkipPadding: 14 }
    }, more);
  }

  var kinds = {
    days: function (data) {
      // Every fourth day up to today has its name.
      var ticks = {
        color: colour("--soft"), autoSkip: false, maxRotation: 0,
        callback: function (value, place) { return (data.labels.length - 1 - place) % 4 ? "" : data.labels[place]; }
      };
      return { type: "bar", scales: { x: axis({ grid: { display: false }, ticks: ticks }), y: axis({ ticks: { color: colour("--soft"), precision: 0, maxTicksLimit: 4 } }) } };
    },
    stacked: function (data, canvas) {
      canvas.parentNode.style.height = 34 * data.labels.length + 70 + "px";
      return {
        type: "bar", indexAxis: "y",
        scales: { x: axis({ stacked: true }), y: axis({ stacked: true, grid: { display: false }, ticks: { color: colour("--ink"), autoSkip: false } }) }
      };
    },
    line: function (data, canvas) {
      return {
        type: "line",
        scales: {
          x: axis({
            type: "linear", grid: { display: false }, ticks: { color: colour("--soft"), maxRotation: 0, maxTicksLimit: canvas.parentNode.clientWidth < 500 ? 4 : 9 },
            title: { display: true, text: "calls per minute", color: colour("--soft") }
          }),
          y: axis({ ticks: ticksOfTime(Math.max.apply(null, data.series[0].values)) })
        }
      };
    }
  };

  function draw(canvas) {
    var data = read(canvas);
    var kind = kinds[canvas.dataset.chart](data, canvas);
    var isLine = kind.type === "line";
    return new window.Chart(canvas, {
      type: kind.type,
      data: {
        labels: data.labels,
        datasets: data.series.map(function (series) {
          return {
            label: series.name,
            data: isLine ? series.values.map(function (value, row) { return { x: data.places[row], y: value }; }) : series.values,
            texts: series.texts,
            backgroundColor: colour(series.colour), borderColor: colour(series.colour),
            borderWidth: isLine ? 2 : 0, pointRadius: 3, pointHitRadius: 12, maxBarThickness: 26
          };
        })
      },
      options: {
        animation: false, responsive: true, maintainAspectRatio: false, locale: "en",
        indexAxis: kind.indexAxis || "x",
        interaction: { mode: isLine ? "nearest" : "index", axis: kind.indexAxis || "x", intersect: false },
        plugins: {
          legend: { display: data.series.length > 1, position: "bottom", labels: { color: colour("--ink"), boxWidth: 12 } },
          tooltip: {
            callbacks: {
              title: function (items) { return items.length && isLine ? data.labels[items[0].dataIndex] + " calls per minute" : undefined; },
              label: function (item) { return item.dataset.label + ": " + item.dataset.texts[item.dataIndex]; }
            }
          }
        },
        scales: kind.scales
      }
    });
  }

  function drawAll() {
    window.Chart.defaults.font.family = window.getComputedStyle(document.body).fontFamily;
    drawn.forEach(function (chart) { chart.destroy(); });
    drawn = Array.from(document.querySelectorAll("canvas[data-chart]")).map(draw);
    document.querySelectorAll(".what-if").forEach(mark);
  }

  // The point of the budget that the slider is at.
  function mark(box) {
    var chart = drawn.find(function (each) { return each.canvas.dataset.table === box.dataset.table; });
    if (!chart) { return; }
    var chosen = Number(box.querySelector("input").value);
    chart.data.datasets.forEach(function (series) {
      series.pointRadius = series.data.map(function (point, row) { return row === chosen ? 7 : 3; });
    });
    chart.update("none");
  }

  document.addEventListener("input", function (event) {
    var box = event.target.closest(".what-if");
    if (box) { mark(box); }
  });
  document.addEventListener("DOMContentLoaded", function () {
    drawAll();
    new MutationObserver(drawAll).observe(root, { attributes: true, attributeFilter: ["data-theme"] });
    window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
  });
})();
