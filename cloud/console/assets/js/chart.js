// A meter's readings: the register as a line that breaks at gaps, and use a day (or an hour) as bars.
// A gap is hatched over its true span and never spanned; a held value is marked off the line; what is
// estimated is hatched in the same hue. Every chart has its table beside it in the page.
import uPlot from "uplot";

for (const box of document.querySelectorAll("[data-chart]")) {
  const data = JSON.parse(document.getElementById(box.dataset.chart).textContent);
  const plots = draw(box, data);
  const redraw = () => plots.splice(0, plots.length, ...replace(plots, box, data));
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  new ResizeObserver(() => {
    for (const plot of plots) plot.setSize({ width: box.clientWidth, height: plot.height });
  }).observe(box);
}

function replace(plots, box, data) {
  for (const plot of plots) plot.destroy();
  return draw(box, data);
}

function draw(box, data) {
  const look = styleOf(box, data.hue);
  const plots = [];
  if (data.line) plots.push(drawLine(box, data, look));
  if (data.bars) plots.push(drawBars(box, data, look));
  if (plots.length === 2) uPlot.sync(box.dataset.chart);
  box.dataset.drawn = String(plots.length);
  return plots;
}

function styleOf(box, hue) {
  const style = getComputedStyle(box);
  const token = (name) => style.getPropertyValue(`--${name}`).trim();
  return {
    hue: token(hue),
    wash: token(`${hue}-w`),
    ink: token("ink"),
    ink2: token("ink2"),
    ink3: token("ink3"),
    line: token("line"),
    line2: token("line2"),
    surface: token("surface"),
    raised: token("raised"),
    crit: token("crit"),
    critWash: token("crit-w"),
    font: `11px ${style.fontFamily}`,
    fontBold: `600 12px ${style.fontFamily}`,
  };
}

function axes(data, look, decimals) {
  const shared = { stroke: look.ink3, font: look.font, ticks: { show: false } };
  return [
    {
      ...shared,
      grid: { show: false },
      size: 26,
      gap: 6,
      space: 90,
      values: (_, ticks) => ticks.map((tick) => localTime(tick, data)),
    },
    {
      ...shared,
      grid: { stroke: look.line, width: 1 },
      size: 62,
      gap: 8,
      space: 34,
      values: (_, ticks) =>
        ticks.map((tick) => tick.toLocaleString("en-US", { maximumFractionDigits: decimals })),
    },
  ];
}

// Ticks are written in the site's zone: the server gives each day's start, and the offset in force then.
function localTime(tick_s, data) {
  const zone = data.offsets.findLast((offset) => offset.from_s <= tick_s) ?? data.offsets[0];
  const local = new Date((tick_s + zone.offset_s) * 1000).toISOString();
  return local.slice(11, 16) === "00:00" ? local.slice(5, 10) : local.slice(11, 16);
}

function drawLine(box, data, look) {
  const { times_s, values } = data.line;
  return new uPlot(
    {
      width: box.clientWidth,
      height: data.bars ? 176 : 240,
      padding: [20, 12, 0, 0],
      legend: { show: false },
      cursor: { sync: { key: box.dataset.chart }, points: { size: 7 }, drag: { x: false, y: false } },
      scales: { x: { time: true, range: [data.from_s, data.until_s] }, y: { range: padded } },
      tzDate: (ts) => new Date((ts + data.offsets[0].offset_s) * 1000 + new Date().getTimezoneOffset() * 60_000),
      axes: axes(data, look, 3),
      series: [
        {},
        {
          stroke: look.hue,
          width: 1.75,
          spanGaps: false,
          points: { show: (plot, index, from, to) => to - from < 40, size: 5, fill: look.hue },
        },
      ],
      hooks: {
        drawClear: [(plot) => data.gaps.forEach((gap) => hatchGap(plot, gap, look))],
        draw: [
          (plot) => title(plot, data.line.title, look),
          (plot) => data.gaps.forEach((gap) => endGap(plot, gap, data, look)),
          (plot) => data.held.forEach((held) => markHeld(plot, held, look)),
          (plot) => data.exchanges.forEach((exchange) => markExchange(plot, exchange, look)),
        ],
        setCursor: [tooltip(box, data)],
      },
    },
    [times_s, values],
    box,
  );
}

function drawBars(box, data, look) {
  const { starts_s, values, estimated } = data.bars;
  const span_s = data.bars.span_s;
  const middles = starts_s.map((start) => start + span_s / 2);
  const hatch = hatching(look.hue, look.surface, 2.5);
  return new uPlot(
    {
      width: box.clientWidth,
      height: 136,
      padding: [20, 12, 0, 0],
      legend: { show: false },
      cursor: { sync: { key: box.dataset.chart }, points: { show: false }, drag: { x: false, y: false } },
      scales: { x: { time: true, range: [data.from_s, data.until_s] }, y: { range: (_, low, high) => [0, ceiling(high)] } },
      tzDate: (ts) => new Date((ts + data.offsets[0].offset_s) * 1000 + new Date().getTimezoneOffset() * 60_000),
      axes: axes(data, look, 2),
      series: [
        {},
        {
          fill: look.hue,
          stroke: look.hue,
          width: 0,
          paths: uPlot.paths.bars({
            size: [0.84, 40],
            disp: {
              fill: { unit: 3, values: () => estimated.map((is) => (is ? hatch : look.hue)) },
            },
          }),
          points: { show: false },
        },
      ],
      hooks: { draw: [(plot) => title(plot, data.bars.title, look)], setCursor: [tooltip(box, data)] },
    },
    [middles, values],
    box,
  );
}

function padded(_, low, high) {
  if (low === null) return [0, 1];
  const room = Math.max((high - low) * 0.08, high === low ? Math.abs(high) * 0.01 || 1 : 0);
  return [low >= 0 ? Math.max(0, low - room) : low - room, high + room];
}

function ceiling(high) {
  return high ? high * 1.12 : 1;
}

function title(plot, text, look) {
  const { ctx } = plot;
  ctx.save();
  ctx.font = scaled(look.fontBold);
  ctx.fillStyle = look.ink;
  ctx.textAlign = "left";
  ctx.textBaseline = "top";
  ctx.fillText(text, 0, 0);
  ctx.restore();
}

function scaled(font) {
  return font.replace(/(\d+(?:\.\d+)?)px/, (_, px) => `${px * devicePixelRatio}px`);
}

function hatching(stroke, ground, width) {
  const ratio = devicePixelRatio;
  const tile = document.createElement("canvas");
  tile.width = tile.height = 8 * ratio;
  const ctx = tile.getContext("2d");
  ctx.fillStyle = ground;
  ctx.fillRect(0, 0, tile.width, tile.height);
  ctx.strokeStyle = stroke;
  ctx.lineWidth = width * ratio;
  for (const shift of [-tile.width, 0, tile.width]) {
    ctx.beginPath();
    ctx.moveTo(shift, tile.height);
    ctx.lineTo(shift + tile.width, 0);
    ctx.stroke();
  }
  return ctx.createPattern(tile, "repeat");
}

function hatchGap(plot, gap, look) {
  const { ctx, bbox } = plot;
  const left = Math.max(bbox.left, plot.valToPos(gap.from_s, "x", true));
  const right = Math.min(bbox.left + bbox.width, plot.valToPos(gap.until_s, "x", true));
  if (right - left < 2) return;
  ctx.save();
  ctx.fillStyle = hatching(look.line2, look.raised, 1);
  ctx.fillRect(left, bbox.top, right - left, bbox.height);
  ctx.restore();
}

function endGap(plot, gap, data, look) {
  const { ctx, bbox } = plot;
  const left = plot.valToPos(gap.from_s, "x", true);
  const right = plot.valToPos(gap.until_s, "x", true);
  ctx.save();
  ctx.fillStyle = look.hue;
  for (const [at, value] of [
    [left, gap.before],
    [right, gap.after],
  ]) {
    if (value === null) continue;
    ctx.beginPath();
    ctx.arc(at, plot.valToPos(value, "y", true), 3 * devicePixelRatio, 0, 2 * Math.PI);
    ctx.fill();
  }
  const width = 56 * devicePixelRatio;
  if (right - left > width) {
    const middle = (left + right) / 2;
    const top = bbox.top + bbox.height / 2 - 18 * devicePixelRatio;
    ctx.fillStyle = look.surface;
    ctx.fillRect(middle - width / 2, top, width, 36 * devicePixelRatio);
    ctx.font = scaled(look.font);
    ctx.textAlign = "center";
    ctx.textBaseline = "middle";
    ctx.fillStyle = look.ink2;
    ctx.fillText(data.words.gap, middle, top + 11 * devicePixelRatio);
    ctx.fillStyle = look.ink3;
    ctx.fillText(gap.text, middle, top + 26 * devicePixelRatio);
  }
  ctx.restore();
}

function markHeld(plot, held, look) {
  const { ctx, bbox } = plot;
  const at = plot.valToPos(held.at_s, "x", true);
  const bottom = bbox.top + bbox.height;
  ctx.save();
  ctx.strokeStyle = ctx.fillStyle = look.crit;
  ctx.lineWidth = devicePixelRatio;
  ctx.setLineDash([4 * devicePixelRatio, 3 * devicePixelRatio]);
  ctx.beginPath();
  ctx.moveTo(at, bbox.top);
  ctx.lineTo(at, bottom - 8 * devicePixelRatio);
  ctx.stroke();
  ctx.beginPath();
  ctx.moveTo(at - 5 * devicePixelRatio, bottom - 8 * devicePixelRatio);
  ctx.lineTo(at + 5 * devicePixelRatio, bottom - 8 * devicePixelRatio);
  ctx.lineTo(at, bottom);
  ctx.fill();
  ctx.font = scaled(look.fontBold);
  const isLeft = at > bbox.left + bbox.width / 2;
  ctx.textAlign = isLeft ? "right" : "left";
  ctx.fillText(held.text, at + (isLeft ? -8 : 8) * devicePixelRatio, bottom - 12 * devicePixelRatio);
  ctx.restore();
}

function markExchange(plot, exchange, look) {
  const { ctx, bbox } = plot;
  const at = plot.valToPos(exchange.at_s, "x", true);
  ctx.save();
  ctx.strokeStyle = look.ink2;
  ctx.fillStyle = look.ink2;
  ctx.lineWidth = devicePixelRatio;
  ctx.beginPath();
  ctx.moveTo(at, bbox.top);
  ctx.lineTo(at, bbox.top + bbox.height);
  ctx.stroke();
  ctx.font = scaled(look.font);
  ctx.fillText(exchange.text, at + 5 * devicePixelRatio, bbox.top + 10 * devicePixelRatio);
  ctx.restore();
}

function tooltip(box, data) {
  const tip = box.querySelector(".tip") ?? box.appendChild(document.createElement("div"));
  tip.className = "tip";
  tip.hidden = true;
  return (plot) => {
    const { idx, left } = plot.cursor;
    const value = idx == null || left < 0 ? null : plot.data[1][idx];
    tip.hidden = value == null;
    if (value == null) return;
    const at = new Date((plot.data[0][idx] + data.offsets[0].offset_s) * 1000).toISOString();
    const day = `${at.slice(5, 10)} ${at.slice(11, 16)}`;
    tip.textContent = `${day}   ${value.toLocaleString("en-US", { maximumFractionDigits: 3 })} ${data.unit}`;
    const x = plot.root.offsetLeft + plot.over.offsetLeft + left;
    tip.style.left = `${Math.min(Math.max(0, x - tip.offsetWidth / 2), box.clientWidth - tip.offsetWidth)}px`;
    tip.style.top = `${plot.root.offsetTop - 4}px`;
  };
}
