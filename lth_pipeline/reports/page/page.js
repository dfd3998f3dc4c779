// Draws the charts when they come near, in the colours of the page; hides and shows lines; switches light and dark.
(() => {
  const { charts, colours } = JSON.parse(document.getElementById("data").textContent);
  const root = document.documentElement;
  const plots = [...document.querySelectorAll(".plot")];
  const drawing = new Map(); // plot -> promise of its drawing
  const hidden = new Map(plots.map((plot) => [plot, new Set()]));
  const LIVE = 8; // 3-D views at once: a browser has few contexts for them
  let printing = false;

  const dark = () => root.dataset.theme === "dark" && !printing;
  const touch = matchMedia("(pointer: coarse)").matches;
  const webgl = (() => {
    try {
      const canvas = document.createElement("canvas");
      return Boolean(canvas.getContext("webgl2") || canvas.getContext("webgl"));
    } catch { return false; }
  })();

  // Every colour that has another on dark; "#0072b22a" ends with its opacity.
  const coloured = (part) => {
    if (Array.isArray(part)) return part.map(coloured);
    if (part && typeof part === "object")
      return Object.fromEntries(Object.entries(part).map(([key, value]) => [key, coloured(value)]));
    if (typeof part === "string" && (part.length === 7 || part.length === 9) && part[0] === "#") {
      const other = colours[part.slice(0, 7).toLowerCase()];
      return other ? other + part.slice(7) : part;
    }
    return part;
  };

  // The same data without the third dimension, where there is no WebGL.
  const flat = (spec) => {
    const { scene, ...layout } = spec.layout;
    const data = spec.data.map(({ x, y, z, customdata, cmin, cmax, colorscale, colorbar, hovertemplate }) => ({
      type: "contour", x, y, z, customdata, zmin: cmin, zmax: cmax, colorscale, hovertemplate, ncontours: 16,
      colorbar,
    }));
    const axis = (of) => ({ title: of.title, automargin: true });
    return { data, layout: { ...layout, xaxis: axis(scene.xaxis), yaxis: axis(scene.yaxis) }, config: spec.config };
  };

  // A label of an axis in lines that are no wider than the axis.
  const broken = (axis, letters) => {
    const text = axis?.title?.text;
    if (!text || letters >= 46) return axis;
    const lines = [""];
    for (const word of text.replaceAll("<br>", " ").split(" ")) {
      const longer = `${lines.at(-1)} ${word}`.trim();
      if (longer.length <= letters || !lines.at(-1)) lines[lines.length - 1] = longer; else lines.push(word);
    }
    return { ...axis, title: { ...axis.title, text: lines.join("<br>") } };
  };
  const room = (plot) => Math.max(14, Math.floor((plot.clientWidth - 75) / 7)); // letters under a panel

  const shown = (plot) => {
    let spec = charts[Number(plot.dataset.chart)];
    if (plot.classList.contains("surface") && !webgl) {
      spec = flat(spec);
      if (!plot.nextElementSibling)
        plot.insertAdjacentHTML("afterend", '<p class="in-picture">Seen from above: this browser has no WebGL.</p>');
    }
    if (dark()) spec = coloured(spec);
    const data = spec.data.map((trace) => ({ ...trace, visible: !hidden.get(plot).has(trace.legendgroup) }));
    const layout = { ...spec.layout, xaxis: broken(spec.layout.xaxis, room(plot)) };
    if (!layout.xaxis) delete layout.xaxis;
    if (layout.scene && plot.clientWidth < 380) { // as far away as its labels need
      const { x, y, z } = layout.scene.aspectratio;
      layout.scene = { ...layout.scene, aspectratio: { x: 0.8 * x, y: 0.8 * y, z: 0.8 * z } };
    }
    if (touch) layout.dragmode = false; // a finger moves the page, not the axes
    if (touch && layout.scene) layout.scene = { ...layout.scene, dragmode: "turntable" };
    return [data, layout, touch ? { ...spec.config, displayModeBar: false } : spec.config];
  };

  const free = () => { // the 3-D view that was drawn first and is out of sight gives its place away
    const live = [...drawing.keys()].filter((plot) => plot.classList.contains("surface"));
    if (!webgl || live.length < LIVE) return;
    const away = live.find((plot) => {
      const box = plot.getBoundingClientRect();
      return box.bottom < 0 || box.top > innerHeight;
    });
    if (!away) return;
    Plotly.purge(away);
    drawing.delete(away);
    near?.observe(away);
  };

  // The bar above a panel is for the mouse: six stops of the tab key at each of a hundred panels help nobody, and what
  // a panel shows is in words and in tables beside it.
  const quiet = (plot) => plot.querySelectorAll(".modebar-btn, .modebar-container [tabindex], a[href]")
    .forEach((button) => button.setAttribute("tabindex", "-1"));

  const draw = (plot) => {
    if (!drawing.has(plot)) {
      if (plot.classList.contains("surface")) free();
      near?.unobserve(plot);
      drawing.set(plot, Plotly.newPlot(plot, ...shown(plot)).then(() => {
        plot.classList.add("drawn");
        quiet(plot);
        plot.on("plotly_afterplot", () => quiet(plot));
        root.dataset.drawn = String(document.querySelectorAll(".plot.drawn").length);
      }));
    }
    return drawing.get(plot);
  };
  const redraw = async () => {
    for (const plot of [...drawing.keys()]) {
      await Plotly.react(plot, ...shown(plot));
    }
  };

  root.dataset.charts = String(plots.length);
  root.dataset.drawn = "0";
  const near = "IntersectionObserver" in window
    ? new IntersectionObserver(
        (seen) => seen.filter((one) => one.isIntersecting).forEach((one) => draw(one.target)),
        { rootMargin: "500px 0px" },
      )
    : null;
  plots.forEach((plot) => (near ? near.observe(plot) : draw(plot)));
  window.lthDrawAll = () => Promise.all(plots.map(draw));

  // the legend: one press hides a line in all panels of its figure
  document.querySelectorAll(".legend button").forEach((button) => {
    button.addEventListener("click", () => {
      const on = button.getAttribute("aria-pressed") !== "true";
      button.setAttribute("aria-pressed", String(on));
      for (const plot of button.closest("figure").querySelectorAll(".plot")) {
        const groups = hidden.get(plot);
        if (on) groups.delete(button.dataset.group); else groups.add(button.dataset.group);
        if (drawing.has(plot)) Plotly.react(plot, ...shown(plot));
      }
    });
  });

  const toggle = document.getElementById("theme");
  const say = () => {
    const on = root.dataset.theme === "dark";
    toggle.setAttribute("aria-pressed", String(on));
    toggle.textContent = "Dark";
  };
  toggle.addEventListener("click", () => {
    root.dataset.theme = root.dataset.theme === "dark" ? "light" : "dark";
    root.dataset.chosen = "yes";
    try { localStorage.setItem("lth-theme", root.dataset.theme); } catch { /* not remembered, then */ }
    say();
    redraw();
  });
  document.addEventListener("lth-theme", () => { say(); redraw(); });
  say();

  // contents: open beside the text, folded above it
  const contents = document.getElementById("contents");
  const beside = matchMedia("(min-width: 68rem)");
  const fold = () => { contents.open = beside.matches; };
  fold();
  beside.addEventListener("change", fold);
  contents.addEventListener("click", (event) => {
    if (event.target.closest("a") && !beside.matches) contents.open = false;
  });

  let opened = []; // folded tables are printed, too
  window.addEventListener("beforeprint", () => {
    printing = true;
    opened = [...document.querySelectorAll(".folded:not([open])")];
    opened.forEach((one) => { one.open = true; });
    redraw();
    window.lthDrawAll();
  });
  window.addEventListener("afterprint", () => {
    printing = false;
    opened.forEach((one) => { one.open = false; });
    redraw();
  });
})();
