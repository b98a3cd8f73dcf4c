// Small helpers: times in the reader's zone, live parts, charts, tabs, keys, copying, the wizard. Pages read well without.
(() => {
  const root = document.documentElement;
  const own = document.currentScript;
  const lang = root.lang || "en";
  const csrf = document.querySelector('meta[name="csrf"]')?.content || "";
  root.classList.add("gp-script");

  // ---- times: relative to now, absolute in the reader's zone beside it or on hovering
  const absolute = new Intl.DateTimeFormat(lang, { dateStyle: "medium", timeStyle: "medium" });
  const relative = new Intl.RelativeTimeFormat(lang, { numeric: "auto", style: "short" });
  const units = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];
  const ago = (date) => {
    const seconds = (date - Date.now()) / 1000;
    const [unit, size] = units.find(([, s]) => Math.abs(seconds) >= s) || units[3];
    return relative.format(Math.round(seconds / size), unit);
  };
  const times = (part) => {
    for (const element of part.querySelectorAll("time[datetime]")) {
      const date = new Date(element.getAttribute("datetime"));
      if (isNaN(date)) continue;
      const full = absolute.format(date);
      element.textContent = "both" in element.dataset ? `${full} (${ago(date)})` : ago(date);
      element.title = `${full} · ${element.getAttribute("datetime")}`;
    }
  };
  setInterval(() => times(document), 15000);

  // ---- charts
  const load = (source) => new Promise((done) => {
    const script = document.createElement("script");
    script.src = source;
    script.onload = done;
    document.head.append(script);
  });
  let library;
  const charts = async (part, again) => {
    const wanted = [...part.querySelectorAll(again ? "[data-chart]" : "[data-chart]:not([data-drawn])")];
    if (!wanted.length) return;
    for (const element of wanted) element.dataset.drawn = "yes";
    library = library || load(own.dataset.echarts).then(() => load(own.dataset.charts));
    await library;
    for (const element of wanted) if (element.isConnected) window.gpDraw(element).catch(() => element.classList.add("gp-stale"));
  };

  // ---- tabs: the choice outlives a refresh of the part
  const chosen = {};
  const show = (tabs, id) => {
    for (const pane of tabs.querySelectorAll(":scope > .gp-pane")) pane.classList.toggle("on", pane.id === id);
    for (const tab of tabs.querySelectorAll("[role=tab]")) {
      const on = tab.getAttribute("aria-controls") === id;
      tab.setAttribute("aria-selected", String(on));
      tab.tabIndex = on ? 0 : -1;
    }
  };
  const tabs = (part) => {
    for (const element of part.querySelectorAll("[data-tabs]")) {
      const first = element.querySelector("[role=tab]")?.getAttribute("aria-controls");
      show(element, chosen[element.dataset.tabs] || first);
    }
  };

  // ---- the wizard: one step at a time
  const step = (wizard, number) => {
    const steps = [...wizard.querySelectorAll("fieldset[data-step]")];
    number = Math.max(0, Math.min(number, steps.length - 1));
    wizard.dataset.at = number;
    steps.forEach((element, i) => element.classList.toggle("on", i === number));
    wizard.querySelectorAll(".gp-steps li").forEach((element, i) => {
      element.classList.toggle("on", i === number);
      element.classList.toggle("done", i < number);
      if (i === number) element.setAttribute("aria-current", "step"); else element.removeAttribute("aria-current");
    });
    wizard.querySelector("[data-back]").hidden = number === 0;
    wizard.querySelector("[data-next]").hidden = number === steps.length - 1;
    wizard.querySelectorAll("[data-last]").forEach((element) => { element.hidden = number !== steps.length - 1; });
    if (number === steps.length - 1) review(wizard);
  };
  const review = (wizard) => {
    const list = wizard.querySelector("[data-review]");
    if (!list) return;
    list.replaceChildren();
    for (const field of wizard.querySelectorAll("[data-label]")) {
      const on = field.type === "checkbox" || field.type === "radio";
      if (on && !field.checked) continue;
      const value = on ? field.dataset.value || "✓" : field.type === "password" && field.value ? "••••" : field.value;
      if (!value) continue;
      const name = document.createElement("dt"), text = document.createElement("dd");
      name.textContent = field.dataset.label;
      text.textContent = value;
      list.append(name, text);
    }
  };
  const depends = (part) => {
    for (const element of part.querySelectorAll("[data-if]")) {
      const [name, ...values] = element.dataset.if.split(" ");
      const form = element.closest("form");
      const field = form?.elements.namedItem(name);
      if (!field) continue;
      const value = field.type === "checkbox" ? String(field.checked) : field.value;
      element.hidden = !values.includes(value);
    }
  };

  // what is wider than its place is scrolled with the arrow keys; a time that is spelt out may make it so later
  const scrolls = ".table-responsive, #sums .gp-kpis";
  const reach = (box) => {
    if (!box || box.scrollWidth <= box.clientWidth || box.tabIndex === 0) return;
    box.tabIndex = 0;
    box.setAttribute("role", "region");
    box.setAttribute("aria-label", box.closest(".card")?.querySelector(".card-title")?.textContent.trim() || document.querySelector("h1").textContent.trim());
  };
  const sizes = new ResizeObserver((changes) => { for (const change of changes) reach(change.target.closest(scrolls)); });
  const reachable = (part) => {
    for (const box of part.querySelectorAll(scrolls)) {
      reach(box);
      for (const one of [box, ...box.children]) sizes.observe(one);
    }
  };
  const prepare = (part) => {
    times(part); tabs(part); charts(part); depends(part); reachable(part);
    for (const wizard of part.querySelectorAll(".gp-wizard:not([data-at])")) step(wizard, 0);
  };
  addEventListener("DOMContentLoaded", () => prepare(document));
  document.addEventListener("htmx:afterSwap", () => times(document));
  document.addEventListener("htmx:afterSettle", (event) => prepare(event.target.parentElement || document));
  document.addEventListener("htmx:configRequest", (event) => { event.detail.headers["X-CSRF-Token"] = csrf; });
  // an answer that says what is wrong is shown where the right one would be
  document.addEventListener("htmx:beforeSwap", (event) => {
    if (event.detail.xhr.status >= 400 && event.detail.xhr.getResponseHeader("content-type")?.startsWith("text/html")) event.detail.shouldSwap = true;
  });
  // a part that refreshes itself waits while somebody fills in a form in it, reads a preview or has something open;
  // what was asked for before that must not arrive over it either
  const busy = "[id^=preview-] form, .gp-drop[open], details[open] form, form:focus-within, form.htmx-request, input[type=checkbox]:checked[name=id]";
  const refreshes = (part) => part?.getAttribute("hx-get") && part.id && !part.matches("a, button");
  document.addEventListener("htmx:beforeRequest", (event) => {
    if (refreshes(event.detail.elt) && event.detail.elt.querySelector(busy)) event.preventDefault();
  });
  document.addEventListener("htmx:beforeSwap", (event) => {
    const part = event.detail.requestConfig.elt;
    if (refreshes(part) && part.querySelector(busy)) event.detail.shouldSwap = false;
    else keepFocus(part);
  });
  // whoever works by keyboard stays where they are when a part is drawn anew
  let kept;
  const places = (part) => [...part.querySelectorAll("a[href], button, summary, input, select")];
  const keepFocus = (part) => {
    const active = document.activeElement;
    if (!refreshes(part) || !part.contains(active)) return;
    kept = { id: part.id, href: active.getAttribute("href"), at: places(part).indexOf(active), marked: Boolean(active.closest(".gp-at")) };
  };
  document.addEventListener("htmx:afterSettle", () => {
    const part = kept && document.getElementById(kept.id);
    if (!part) return;
    const place = places(part).find((one) => kept.href && one.getAttribute("href") === kept.href) || places(part)[kept.at];
    place?.focus({ preventScroll: true });
    if (kept.marked) place?.closest("tr, .list-group-item-action")?.classList.add("gp-at");
    kept = undefined;
  });

  document.addEventListener("change", (event) => { depends(document); if (event.target.matches("[data-submit]")) event.target.form.requestSubmit(); });
  document.addEventListener("click", (event) => {
    const find = (what) => event.target.closest(what);
    const copy = find("[data-copy]"), toggle = find("[data-toggle-nav]"), all = find("[data-check-all]"), tab = find("[role=tab]");
    if (copy) {
      navigator.clipboard?.writeText(copy.parentElement.querySelector("code").textContent);
      copy.classList.add("btn-success");
      setTimeout(() => copy.classList.remove("btn-success"), 800);
    }
    if (toggle) toggle.setAttribute("aria-expanded", String(document.getElementById("nav").classList.toggle("open")));
    if (all) for (const box of document.querySelectorAll(all.dataset.checkAll)) box.checked = all.checked;
    if (tab) {
      const group = tab.closest("[data-tabs]");
      chosen[group.dataset.tabs] = tab.getAttribute("aria-controls");
      show(group, chosen[group.dataset.tabs]);
    }
    if (find("[data-help]")) document.getElementById("keys")?.showModal();
    if (find("[data-close]")) closeFlyout();
    const wizard = find(".gp-wizard");
    if (wizard && find("[data-next]")) {
      const fields = [...wizard.querySelectorAll("fieldset.on :is(input, select, textarea)")];
      if (fields.every((field) => field.reportValidity())) step(wizard, Number(wizard.dataset.at) + 1);
    }
    if (wizard && find("[data-back]")) step(wizard, Number(wizard.dataset.at) - 1);
    for (const open of document.querySelectorAll(".gp-drop[open]")) if (!open.contains(event.target)) open.open = false;
    const opener = find("[hx-target='#flyout']");
    if (opener) back = opener;
  });
  let back;
  // what is closed gives the focus back to what had opened it
  const closeFlyout = () => {
    const flyout = document.getElementById("flyout");
    if (!flyout?.firstElementChild) return;
    flyout.replaceChildren();
    // the row may have been drawn anew since
    (back?.isConnected ? back : document.querySelector(`a[href="${CSS.escape(back?.getAttribute("href") || "")}"]`))?.focus();
  };
  const escape = () => {
    const drop = document.querySelector(".gp-drop[open]"), nav = document.querySelector("#nav.open");
    if (drop) { drop.open = false; drop.querySelector("summary").focus(); }
    else if (nav) { const toggle = document.querySelector("[data-toggle-nav]"); toggle.click(); toggle.focus(); }
    else closeFlyout();
  };
  document.addEventListener("htmx:afterSettle", (event) => { if (event.target.id === "flyout") event.target.querySelector("h2, [data-close]")?.focus(); });

  // ---- keys
  let waiting = "";
  const rows = () => [...document.querySelectorAll("main tbody tr, main .list-group-item-action")];
  const move = (by) => {
    const found = rows();
    if (!found.length) return;
    const at = found.findIndex((row) => row.classList.contains("gp-at"));
    const to = found[Math.max(0, Math.min(found.length - 1, at + by))];
    found[at]?.classList.remove("gp-at");
    to.classList.add("gp-at");
    to.scrollIntoView({ block: "nearest" });
    (to.matches("a") ? to : to.querySelector("a, button"))?.focus();
  };
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") escape();
    if (event.target.matches("[role=tab]") && (event.key === "ArrowRight" || event.key === "ArrowLeft")) {
      const next = event.key === "ArrowRight" ? event.target.nextElementSibling : event.target.previousElementSibling;
      if (next) { next.click(); next.focus(); }
    }
    if (event.target.matches("input, textarea, select") || event.ctrlKey || event.metaKey || event.altKey) return;
    const place = waiting === "g" && document.querySelector(`#nav a[data-key="${CSS.escape(event.key)}"]`);
    if (place) location.href = place.href;
    else if (event.key === "/") { event.preventDefault(); document.getElementById("search")?.focus(); }
    else if (event.key === "?") document.getElementById("keys")?.showModal();
    else if (event.key === "j") move(1);
    else if (event.key === "k") move(-1);
    else if (event.key === "r") (document.querySelector(".gp-at [data-retry]") || document.querySelector("[data-retry-page]"))?.click();
    waiting = event.key;
  });

  // ---- live: what changes anywhere is told to the parts of the page that show it (hx-trigger="gp:changed from:body")
  const live = document.getElementById("live");
  if (live && window.EventSource) {
    let source, timer, heard = Date.now(), told = 0, drawn = 0;
    const changed = (event) => {
      heard = Date.now();
      clearTimeout(timer);
      // what waits changes every second on a busy gateway: then a look every three seconds is enough
      const wait = event.type === "queue" ? Math.max(150, told + 3000 - heard) : 150;
      timer = setTimeout(() => {
        told = Date.now();
        document.body.dispatchEvent(new CustomEvent("gp:changed"));
        if (Date.now() - drawn > 5000) { drawn = Date.now(); charts(document, true); }
      }, wait);
    };
    const open = () => {
      source = new EventSource(live.dataset.live);
      source.onopen = () => { live.textContent = live.dataset.on; document.body.classList.remove("gp-offline"); };
      for (const name of ["message", "insight", "queue", "changed", "lost"]) source.addEventListener(name, changed);
      source.onerror = () => {
        live.textContent = `${live.dataset.off} (${ago(heard)})`;
        document.body.classList.add("gp-offline");
        if (source.readyState === EventSource.CLOSED) setTimeout(open, 5000);
      };
    };
    open();
    addEventListener("pagehide", () => source.close());
  }
})();

// A form that shows each stage of a check as it happens; without this it is sent as any form.
(() => {
  const csrf = document.querySelector('meta[name="csrf"]')?.content || "";
  const make = (name, className, text) => {
    const element = document.createElement(name);
    if (className) element.className = className;
    if (text !== undefined) element.textContent = text;
    return element;
  };
  const row = (stage) => {
    const line = make("li"), dot = make("span", `gp-state gp-state-${stage.verdict}`), what = make("span", "gp-what");
    dot.append(make("span", "gp-dot"));
    what.append(make("span", "gp-sub", stage.target), make("div", "", stage.text || ""));
    line.append(dot, make("strong", "", stage.stage), what, make("span", "gp-sub", `${Math.round(stage.ms)} ms`));
    return line;
  };
  const read = async (form, body, list, head) => {
    const headers = { "Content-Type": "application/json", "X-CSRF-Token": csrf, "Accept-Language": document.documentElement.lang };
    const answer = await fetch(form.dataset.stream, { method: "POST", headers, body: JSON.stringify(body) });
    if (!answer.ok) { head.textContent = (await answer.json()).detail; return; }
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      const lines = (rest + value).split("\n");
      rest = lines.pop();
      for (const line of lines.filter((text) => text.trim())) {
        const step = JSON.parse(line);
        if (step.stage) list.append(row(step.stage));
        if (step.result) {
          const verdict = make("span", `gp-state gp-state-${step.result.verdict}`);
          verdict.append(make("span", "gp-dot"), step.result.ok ? form.dataset.ok : form.dataset.bad);
          head.className = "gp-sentence";
          head.dataset.verdict = step.result.verdict;
          head.replaceChildren(verdict, ` ${step.result.sentence}`);
          if (step.result.advice) list.before(make("p", "text-secondary", step.result.advice));
          if (step.result.last_error) list.after(make("code", "gp-raw", step.result.last_error.text));
        }
      }
    }
  };
  document.addEventListener("submit", async (event) => {
    const form = event.target.closest("form[data-stream]");
    if (!form || !window.TextDecoderStream) return;
    event.preventDefault();
    const fields = Object.fromEntries([...new FormData(form)].filter(([name, value]) => name !== "csrf" && value));
    if (fields.connector) delete fields.tls;
    const body = make("div", "card-body"), card = make("section", "card gp-card"), head = make("p", "gp-busy", form.dataset.busy), list = make("ul", "gp-stages");
    body.append(head, list);
    card.append(body);
    document.querySelector(form.dataset.into).replaceChildren(card);
    const button = form.querySelector("button");
    button.disabled = true;
    try { await read(form, fields, list, head); } catch (problem) { head.textContent = String(problem); }
    button.disabled = false;
  });
})();
