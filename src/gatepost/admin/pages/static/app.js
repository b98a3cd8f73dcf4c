// Small helpers: times in the reader's zone, live parts, charts from tables, keys, copying. Pages read well without.
(() => {
  const lang = document.documentElement.lang || "en";
  const csrf = document.querySelector('meta[name="csrf"]')?.content || "";
  const absolute = new Intl.DateTimeFormat(lang, { dateStyle: "medium", timeStyle: "medium" });
  const relative = new Intl.RelativeTimeFormat(lang, { numeric: "auto" });
  const units = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];

  const ago = (date) => {
    const seconds = (date - Date.now()) / 1000;
    const [unit, size] = units.find(([, s]) => Math.abs(seconds) >= s) || units[3];
    return relative.format(Math.round(seconds / size), unit);
  };
  const times = (root) => {
    for (const element of root.querySelectorAll("time[datetime]")) {
      const date = new Date(element.getAttribute("datetime"));
      if (isNaN(date)) continue;
      element.textContent = ago(date);
      element.title = `${absolute.format(date)} (${element.getAttribute("datetime")})`;
    }
  };
  setInterval(() => times(document), 20000);

  const charts = async (root) => {
    const wanted = root.querySelectorAll("[data-chart]:not([data-drawn])");
    if (!wanted.length) return;
    if (!window.echarts) {
      await new Promise((done) => {
        const script = document.createElement("script");
        script.src = document.querySelector("[data-echarts]")?.dataset.echarts || "";
        script.onload = done;
        document.head.append(script);
      });
    }
    const dark = document.documentElement.getAttribute("data-bs-theme") === "dark";
    for (const element of wanted) {
      element.dataset.drawn = "yes";
      const option = JSON.parse(element.dataset.chart);
      const chart = window.echarts.init(element, dark ? "dark" : null, { renderer: "svg" });
      chart.setOption({ backgroundColor: "transparent", aria: { enabled: true }, ...option });
      new ResizeObserver(() => chart.resize()).observe(element);
      chart.on("click", (event) => { if (event.data && event.data.where) location.href = event.data.where; });
    }
  };

  const prepare = (root) => { times(root); charts(root); };
  addEventListener("DOMContentLoaded", () => prepare(document));
  document.addEventListener("htmx:afterSettle", (event) => prepare(event.target.parentElement || document));
  document.addEventListener("htmx:configRequest", (event) => { event.detail.headers["X-CSRF-Token"] = csrf; });

  // A part that refreshes itself waits while somebody fills in a form in it, or reads a preview.
  document.addEventListener("htmx:beforeRequest", (event) => {
    const part = event.detail.elt;
    const refreshes = part.getAttribute("hx-get") && part.id;
    if (refreshes && part.querySelector("[id^=preview-] form, details[open] form, form:focus-within")) event.preventDefault();
  });

  document.addEventListener("click", (event) => {
    const copy = event.target.closest("[data-copy]");
    if (copy) {
      navigator.clipboard?.writeText(copy.parentElement.querySelector("code").textContent);
      copy.classList.add("btn-success");
      setTimeout(() => copy.classList.remove("btn-success"), 800);
    }
    const toggle = event.target.closest("[data-toggle-nav]");
    if (toggle) {
      const open = document.getElementById("nav").classList.toggle("open");
      toggle.setAttribute("aria-expanded", String(open));
    }
    const all = event.target.closest("[data-check-all]");
    if (all) for (const box of document.querySelectorAll(all.dataset.checkAll)) box.checked = all.checked;
  });

  let waiting = "";
  const places = { o: "/", i: "/insights", q: "/queues", m: "/messages", t: "/trace", c: "/connectors", d: "/domains", a: "/alerts" };
  document.addEventListener("keydown", (event) => {
    if (event.target.matches("input, textarea, select") || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "/") {
      event.preventDefault();
      document.getElementById("search")?.focus();
    } else if (waiting === "g" && places[event.key]) {
      location.href = places[event.key];
    }
    waiting = event.key;
  });

  // What changes anywhere is told to the parts of the page that show it (hx-trigger="gp:changed from:body").
  const live = document.getElementById("live");
  if (live && window.EventSource) {
    let source, timer;
    const changed = () => {
      clearTimeout(timer);
      timer = setTimeout(() => document.body.dispatchEvent(new CustomEvent("gp:changed")), 150);
    };
    const open = () => {
      source = new EventSource(live.dataset.live);
      source.onopen = () => { live.textContent = ""; document.body.classList.remove("gp-offline"); };
      source.onmessage = changed;
      for (const name of ["insight", "queue", "objects", "fix", "alert", "probe"]) source.addEventListener(name, changed);
      source.onerror = () => {
        live.textContent = lang === "zh-CN" ? "连接中断，数据可能过时" : "Connection lost, data may be old";
        document.body.classList.add("gp-offline");
      };
    };
    open();
    addEventListener("pagehide", () => source.close());
  }
})();
