// A plane of codes, drawn on two canvases: what changes rarely below (axes, points or decoded tiles), what follows the
// pointer above.

import { surface } from "../canvas.js";
import { el, within } from "../dom.js";
import { clamp } from "../numbers.js";
import { apart, inView, middles, ticks } from "./geometry.js";

const place = (size, [u, v]) => [((u + 1) / 2) * size, ((1 - v) / 2) * size];

function text(context, string, x, y, font, fill, halo = null) {
  context.font = font;
  if (halo) {
    context.lineWidth = 4;
    context.lineJoin = "round";
    context.strokeStyle = halo;
    context.strokeText(string, x, y);
  }
  context.fillStyle = fill;
  context.fillText(string, x, y);
}

function axes(context, size, view, { font, faint }) {
  [0, 1].forEach((axis) => ticks(view, axis).forEach(({ at, label, zero }) => {
    const [x, y] = place(size, [at, at]);
    context.fillStyle = faint(zero ? 0.22 : 0.07);
    context.fillRect(...(axis === 0 ? [x, 0, 1, size] : [0, y, size, 1]));
    if (Math.abs(at) > 0.86) return;
    context.textAlign = axis === 0 ? "center" : "left";
    context.textBaseline = axis === 0 ? "alphabetic" : "middle";
    text(context, label, axis === 0 ? x : 6, axis === 0 ? size - 6 : y, `11px ${font}`, faint(0.62));
  }));
  context.textBaseline = "alphabetic";
  context.textAlign = "right";
  text(context, "z₁", size - 7, size - 7, `italic 13px ${font}`, faint(0.75));
  context.textAlign = "left";
  text(context, "z₂", 6, 16, `italic 13px ${font}`, faint(0.75));
}

// `view` is the window of the plane, `points` gives the points now; `state` says what is shown and where:
// { at, from, over, only, tiles }. The label is for screen readers.
export function pad(ui, { view, points, labels, classes, colors }, state, label) {
  let tiles = [], hues = [];

  function names(context, size, places) {
    const tall = size > 260 ? 15 : 12, font = `600 ${tall}px ${ui.colors.font}`;
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.font = font;
    const named = middles(places, labels, classes).flatMap((center, k) => {
      if (!center || (state.only >= 0 && state.only !== k)) return [];
      const [x, y] = place(size, center);
      return { x, y, half: context.measureText(classes[k]).width / 2, name: classes[k] };
    });
    apart(named, tall).forEach(({ x, y, name }) => text(context, name, x, y, font, ui.colors.faint(1), ui.colors.halo));
  }

  const below = surface(ui, { className: "below" }, (context, size) => {
    if (state.tiles && tiles.length) {
      const side = Math.sqrt(tiles.length), step = size / side;
      tiles.forEach((tile, i) => context.drawImage(tile, (i % side) * step, Math.floor(i / side) * step, step, step));
      return;
    }
    axes(context, size, view, ui.colors);
    const radius = clamp(size / 190, 1.5, 2.6), places = points();
    for (let i = 0; i < places.length / 2; i++) {
      const [x, y] = place(size, [places[2 * i], places[2 * i + 1]]);
      context.globalAlpha = state.only >= 0 && labels[i] !== state.only ? 0.07 : 0.78;
      context.fillStyle = hues[labels[i]];
      context.beginPath();
      context.arc(x, y, radius, 0, 7);
      context.fill();
    }
    context.globalAlpha = 1;
    names(context, size, places);
  });

  const above = surface(ui, { className: "above" }, (context, size) => {
    // A line over its own halo.
    const line = (color, width, path) => {
      for (const [style, wide] of [[ui.colors.halo, width + 3], [color, width]]) {
        context.strokeStyle = style;
        context.lineWidth = wide;
        context.beginPath();
        path();
        context.stroke();
      }
    };
    const ring = ([x, y], radius, color, width) => line(color, width, () => context.arc(x, y, radius, 0, 7));
    const { at, from, over } = state, { accent } = ui.colors;
    const places = points();
    if (from) {
      line(accent, 2, () => {
        context.moveTo(...place(size, inView(from)));
        context.lineTo(...place(size, inView(at)));
      });
      ring(place(size, inView(from)), 4, accent, 2);
    }
    if (over >= 0) ring(place(size, [places[2 * over], places[2 * over + 1]]), 5, ui.colors.faint(0.8), 1.5);
    if (!at) return;
    const [x, y] = place(size, inView(at));
    ring([x, y], 9, accent, 2.5);
    context.fillStyle = accent;
    context.beginPath();
    context.arc(x, y, 2.5, 0, 7);
    context.fill();
  });

  const node = el("div", { className: "pad", role: "img", "aria-label": label }, below.node, above.node);
  return {
    node,
    follow: above.redraw,
    redraw() {
      hues = colors.map(ui.colors.of);
      below.redraw();
      above.redraw();
    },
    set tiles(canvases) { tiles = canvases; below.redraw(); },
    unit(event) {
      const [x, y] = within(node, event);
      return inView([2 * x - 1, 1 - 2 * y]);
    },
    get size() { return node.clientWidth; },
  };
}
