// The theme is Airflow's; links to Airflow leave the frame; long work shows that it has begun. Nothing is stored.
(function () {
  "use strict";
  var root = document.documentElement;
  var framed = window.parent !== window;

  function theme() {
    var dark = null;
    try {
      if (framed) {
        var names = window.parent.document.documentElement.classList;
        dark = names.contains("dark") ? true : names.contains("light") ? false : null;
      }
      if (dark === null) {
        var kept = window.localStorage.getItem("theme");
        dark = kept === "dark" ? true : kept === "light" ? false : null;
      }
    } catch (error) { dark = null; }
    if (dark === null) { root.removeAttribute("data-theme"); } else { root.setAttribute("data-theme", dark ? "dark" : "light"); }
  }

  document.addEventListener("DOMContentLoaded", function () {
    var current = document.querySelector("nav [aria-current]");
    if (!current) { return; }
    // Not scrollIntoView: the Tab key would begin here then, past the link that skips the menu.
    for (var strip = current.parentElement; strip; strip = strip.parentElement) {
      if (strip.scrollWidth > strip.clientWidth) {
        strip.scrollLeft += current.getBoundingClientRect().left - strip.getBoundingClientRect().left - (strip.clientWidth - current.offsetWidth) / 2;
        break;
      }
    }
  });

  theme();
  window.addEventListener("storage", theme);
  if (framed) {
    try {
      new MutationObserver(theme).observe(window.parent.document.documentElement, { attributes: true, attributeFilter: ["class"] });
    } catch (error) { /* shown alone: the system's theme holds */ }
  }

  document.addEventListener("click", function (event) {
    var link = event.target.closest("a[data-airflow]");
    if (!link || !framed || event.ctrlKey || event.metaKey || event.shiftKey) { return; }
    // Airflow's frame may not move the window around it, so the window's own document opens the link.
    try {
      var outer = window.parent.document.createElement("a");
      outer.href = link.href;
      window.parent.document.body.appendChild(outer);
      event.preventDefault();
      outer.click();
      outer.remove();
    } catch (error) { /* the link opens in the frame */ }
  });

  document.addEventListener("submit", function (event) {
    var form = event.target;
    var button = event.submitter || form.querySelector("button");
    if (form.dataset.sent) { event.preventDefault(); return; }
    form.dataset.sent = "yes";
    if (button) { window.setTimeout(function () { button.disabled = true; button.setAttribute("aria-busy", "true"); }, 0); }
  });
  window.addEventListener("pageshow", function () {
    document.querySelectorAll("form[data-sent]").forEach(function (form) {
      delete form.dataset.sent;
      form.querySelectorAll("button").forEach(function (button) { button.disabled = false; button.removeAttribute("aria-busy"); });
    });
  });

  // What is shown gets no newer after the login has ended, so the page says it.
  function loggedOut(parts) {
    var words = document.createElement("p");
    words.className = "result bad";
    words.setAttribute("role", "alert");
    words.textContent = "Your login has ended: this is no longer kept up to date. Reload the page and log in.";
    parts[0].before(words);
    parts.forEach(function (part) { part.removeAttribute("data-live"); });
  }

  // A part that is still at work is asked for again, until it says that it is over.
  function refresh() {
    var parts = document.querySelectorAll("[data-live]");
    if (!parts.length || document.hidden) { return; }
    var here = new URL(window.location.href);
    here.searchParams.delete("clear");  // each view in clear is an audit row, and no part needs it
    window.fetch(here, { credentials: "same-origin" }).then(function (answer) {
      if (answer.status === 401) { loggedOut(parts); }
      return answer.ok ? answer.text() : null;
    }).then(function (text) {
      if (text === null) { return; }
      var fresh = new DOMParser().parseFromString(text, "text/html");
      parts.forEach(function (part) {
        var other = fresh.getElementById(part.id);
        var isInUse = part.contains(document.activeElement) || part.querySelector(":active");  // a click on what is replaced would be lost
        if (other && !isInUse) { part.replaceWith(document.importNode(other, true)); }
      });
    }).catch(function () { /* asked for again */ });
  }
  window.setInterval(refresh, 3000);

  document.addEventListener("DOMContentLoaded", function () {
    document.querySelectorAll("[data-tick]").forEach(function (button) {
      button.hidden = false;
      button.addEventListener("click", function () {
        button.form.querySelectorAll(button.dataset.tick).forEach(function (box) { box.checked = true; });
      });
    });
  });

  document.addEventListener("input", function (event) {
    var box = event.target.closest(".what-if");
    if (!box) { return; }
    var row = JSON.parse(box.dataset.rows)[Number(event.target.value)];
    box.querySelector("output").textContent = row.calls_per_minute.toLocaleString("en", { maximumFractionDigits: 1 }) +
      " per minute" + (row.is_present ? " (now)" : "") + ": mean delay " + row.delay + ", mean age " + row.age +
      (row.keeps_max_age ? "" : "; the promised maximum age is not kept");
  });
})();
