// Charts, loaded only where a page has one: each draws the data of an address of ours, and has a table beside it.
// Rule: every text is drawn as text (svg renderer, rich-text tooltips), so nothing remote becomes markup or style.
(() => {
  const root = document.documentElement;
  const lang = root.lang || "en";
  const css = (name) => getComputedStyle(root).getPropertyValue(name).trim();
  const number = new Intl.NumberFormat(lang);
  const colours = () => ({
    delivered: css("--gp-c-good"), returned: css("--gp-c-bad"), failed: css("--gp-c-bad"), cancelled: css("--gp-low"),
    waiting: css("--gp-c-wait"), deferred: css("--gp-c-wait"), accent: css("--gp-accent"), line: css("--gp-line"),
    text: css("--tblr-body-color"), muted: css("--gp-muted"), surface: css("--gp-surface"),
  });
  const tooltip = (c) => ({
    renderMode: "richText", backgroundColor: c.surface, borderColor: c.line, textStyle: { color: c.text, fontSize: 12 }, confine: true,
  });
  const cut = (text, most) => (text.length > most ? text.slice(0, most - 1) + "…" : text);

  const map = (element, data) => {
    const c = colours(), words = JSON.parse(element.dataset.words || "{}"), narrow = element.clientWidth < 560;
    const columns = ["source", "domain", "connector", "destination", "outcome"];
    const id = (column, name) => `${column}\u0000${name}`;
    const label = (column, name) => words[`${column}:${name}`] || (column === "outcome" ? words[name] : "") || name;
    const after = (column) => columns[columns.indexOf(column) + 1];
    return {
      tooltip: { ...tooltip(c), trigger: "item", formatter: (at) => {
        const d = at.data;
        const what = at.dataType === "edge" ? `${d.left} → ${d.right}` : d.label0;
        return `${cut(what, 90)}\n${number.format(d.value)} ${words.recipients || ""}`;
      } },
      series: [{
        type: "sankey", orient: narrow ? "vertical" : "horizontal", left: narrow ? 8 : 4, right: narrow ? 8 : 118, top: narrow ? 24 : 12, bottom: narrow ? 24 : 12,
        nodeWidth: 14, nodeGap: 10, draggable: false, emphasis: { focus: "trajectory" }, nodeAlign: "justify",
        label: { color: c.text, fontSize: 12, formatter: (at) => cut(at.data.label0, narrow ? 12 : 22), position: narrow ? "bottom" : "right" },
        lineStyle: { color: "target", opacity: .38, curveness: .5 },
        data: data.nodes.map((n) => ({
          name: id(n.column, n.name), label0: label(n.column, n.name), value: n.recipients, depth: columns.indexOf(n.column),
          where: { [n.column]: n.name },
          label: { show: !narrow || n.recipients * 12 > data.recipients }, // where there is no room only the large ones are named
          itemStyle: { color: n.column === "outcome" ? c[n.name] || c.muted : c.accent, borderWidth: 0, opacity: n.column === "outcome" ? 1 : .85 },
        })),
        links: data.links.map((l) => ({
          source: id(l.column, l.from), target: id(after(l.column), l.to), value: l.recipients,
          left: label(l.column, l.from), right: label(after(l.column), l.to), where: { [l.column]: l.from, [after(l.column)]: l.to },
        })),
      }],
    };
  };

  const course = (element, data) => {
    const c = colours(), words = JSON.parse(element.dataset.words || "{}");
    const hour = new Intl.DateTimeFormat(lang, { hour: "2-digit", minute: "2-digit" });
    const bar = (name) => ({
      name: words[name] || name, type: "bar", stack: "all", barMaxWidth: 22, itemStyle: { color: c[name], borderRadius: 2 },
      data: data.map((row) => row[name]), emphasis: { focus: "series" },
    });
    return {
      tooltip: { ...tooltip(c), trigger: "axis", axisPointer: { type: "shadow" } },
      legend: { bottom: 0, icon: "roundRect", itemWidth: 10, itemHeight: 10, textStyle: { color: c.muted } },
      grid: { left: 4, right: 8, top: 14, bottom: 34, containLabel: true },
      xAxis: { type: "category", data: data.map((row) => hour.format(new Date(row.at))), axisLine: { lineStyle: { color: c.line } }, axisTick: { show: false }, axisLabel: { color: c.muted } },
      yAxis: { type: "value", minInterval: 1, splitLine: { lineStyle: { color: c.line } }, axisLabel: { color: c.muted } },
      series: ["delivered", "deferred", "failed"].map(bar),
    };
  };

  const trend = (element, data) => {
    const c = colours(), hour = new Intl.DateTimeFormat(lang, { dateStyle: "short", timeStyle: "short" });
    return {
      tooltip: { ...tooltip(c), trigger: "axis" }, grid: { left: 4, right: 4, top: 6, bottom: 4, containLabel: true },
      xAxis: { type: "category", data: data.map((row) => hour.format(new Date(row.at))), axisLabel: { show: false }, axisTick: { show: false }, axisLine: { lineStyle: { color: c.line } } },
      yAxis: { type: "value", minInterval: 1, splitLine: { lineStyle: { color: c.line } }, axisLabel: { color: c.muted } },
      series: [{ type: "bar", barMaxWidth: 14, itemStyle: { color: c.accent, borderRadius: 2 }, data: data.map((row) => row.attempts) }],
    };
  };

  const shares = (element, data) => {
    const c = colours(), words = JSON.parse(element.dataset.words || "{}");
    const hour = new Intl.DateTimeFormat(lang, { month: "numeric", day: "numeric", hour: "2-digit", minute: "2-digit" });
    const percent = (value) => (value == null ? "–" : `${number.format(value)} %`);
    const line = (name, colour) => ({
      name: words[name] || name, type: "line", connectNulls: true, symbolSize: 6, itemStyle: { color: colour }, lineStyle: { color: colour, width: 2 },
      data: data.map((row) => (row[name] ? Math.round((1000 * row[`${name}_tls`]) / row[name]) / 10 : null)),
    });
    return {
      tooltip: { ...tooltip(c), trigger: "axis", valueFormatter: percent },
      legend: { bottom: 0, icon: "roundRect", itemWidth: 10, itemHeight: 10, textStyle: { color: c.muted } },
      grid: { left: 4, right: 14, top: 14, bottom: 34, containLabel: true },
      xAxis: { type: "category", data: data.map((row) => hour.format(new Date(row.at))), axisLine: { lineStyle: { color: c.line } }, axisTick: { show: false }, axisLabel: { color: c.muted } },
      yAxis: { type: "value", min: 0, max: 100, splitLine: { lineStyle: { color: c.line } }, axisLabel: { color: c.muted, formatter: "{value} %" } },
      series: [line("received", c.accent), line("sent", c.delivered)],
    };
  };

  const kinds = { map, course, trend, shares };
  const pick = (data, path) => path.split(".").reduce((found, name) => found?.[name], data);

  window.gpDraw = async (element) => {
    const answer = element.dataset.src ? await (await fetch(element.dataset.src, { headers: { Accept: "application/json" } })).json() : JSON.parse(element.dataset.rows);
    const data = element.dataset.path ? pick(answer, element.dataset.path) : answer;
    const dark = root.getAttribute("data-bs-theme") === "dark";
    let chart = window.echarts.getInstanceByDom(element);
    if (!chart) {
      chart = window.echarts.init(element, dark ? "dark" : null, { renderer: "svg" });
      new ResizeObserver(() => chart.resize()).observe(element);
      chart.on("click", (event) => {
        if (element.dataset.chart !== "map" || !event.data?.where) return;
        const to = new URL(element.dataset.to || location.href, location.href);
        for (const [name, value] of Object.entries(event.data.where)) if (value !== "…") to.searchParams.set(name, value);
        location.href = to;
      });
    }
    const option = kinds[element.dataset.chart](element, data);
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    // drawn at once; only what changes later moves
    chart.setOption({ backgroundColor: "transparent", animation: !still, animationDuration: 0, animationDurationUpdate: 300, textStyle: { fontFamily: "inherit" }, ...option }, { replaceMerge: ["series"] });
  };
})();
