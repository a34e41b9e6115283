// One plane of codes a model, one cursor for all.

import { paint, picture, pictures } from "../canvas.js";
import { arrow, choice, el, listen } from "../dom.js";
import { inParts, onceAFrame } from "../frames.js";
import { network } from "../network/network.js";
import { clamp, tuple } from "../numbers.js";
import { inView, nearest, toCode, toUnit, unitPoints } from "../plane/geometry.js";
import { legend } from "../plane/legend.js";
import { pad } from "../plane/pad.js";
import { unpack, unpackCodes, unpackImages } from "../unpack.js";

const STRIP = 9;  // pictures along a line
const NEAR = 22;  // pixels from the pointer within which a point's image is shown
const BUSY = 12;  // milliseconds of a frame spent on tiles

// The strip of pictures along the line from one position to another.
function strip(ui, model, decode) {
  const canvases = pictures(STRIP), node = el("div", { className: "strip", role: "img", hidden: true }, ...canvases);
  return {
    node,
    show(from, to) {
      canvases.forEach((canvas, i) => {
        const unit = from.map((v, axis) => v + ((to[axis] - v) * i) / (STRIP - 1));
        paint(canvas, decode(Float32Array.from(toCode(model, unit))), model.decoder.shape, ui.colors);
      });
      node.setAttribute("aria-label", `${STRIP} pictures decoded along the line to z = ${tuple(toCode(model, to))}`);
    },
  };
}

// What mouse, finger and keys do to the shared state: moved() when the point has moved, render() when only what is
// under the pointer has changed.
function control(board, state, under, moved, render) {
  listen(board.node, {
    pointerdown(event) {
      if (event.button) return;
      board.node.setPointerCapture(event.pointerId);
      state.at = board.unit(event);
      state.from = state.line ? state.at : null;
      state.over = -1;
      moved();
    },
    pointermove(event) {
      if (board.node.hasPointerCapture(event.pointerId)) {
        state.at = board.unit(event);
        moved();
      } else {
        state.over = event.pointerType === "mouse" ? under(board.unit(event)) : -1;
        render();
      }
    },
    pointerleave() { state.over = -1; render(); },
    keydown(event) {
      const step = arrow(event);
      if (step) state.at = inView([state.at[0] + step[0], state.at[1] + step[1]]);
      else if (event.key === "Home") state.at = state.home;
      else if (event.key === " " && state.line) state.from = state.at;
      else return;
      event.preventDefault();
      moved();
    },
  });
}

export async function plane(ui, data) {
  const labels = await unpack(data.labels), images = await unpackImages(data.images);
  const name = (i) => data.classes[labels[i]];
  const single = data.models.length === 1, { brief = false } = data;  // brief: planes and pictures, no tools
  // In units of the plane: where the point is and where its line starts; over which image the pointer is, or -1.
  const { start: at } = data, home = brief ? at : [0, 0];
  const state = { at, home, from: null, line: false, tiles: false, over: -1, only: -1 };

  const panels = await Promise.all(data.models.map(async (model) => {
    const decode = await network(model.decoder), points = unitPoints(model, await unpackCodes(model.codes));
    const shape = model.decoder.shape;
    const board = pad(ui, { ...data, view: model, points: () => points, labels }, state, "");
    const decoded = picture(ui, shape, "decoded"), closest = picture(ui, images.shape, "closest");
    const tip = picture(ui, images.shape, "tip"), line = strip(ui, model, decode);
    const aside = el("div", { className: "aside" }, decoded.node, ...(brief ? [] : [closest.node]));
    board.node.append(tip.node);

    board.node.tabIndex = 0;
    board.node.setAttribute("role", "application");
    board.node.setAttribute("aria-roledescription", "two-dimensional slider");
    board.node.setAttribute("aria-label", `Plane of codes of ${model.name}. The arrow keys move the point, with Shift `
      + `five times as far; Home ${brief ? "resets it" : "centers it; Space starts a line there"}.`);
    control(board, state, (at) => {
      const { index, distance } = nearest(points, at, images.count);
      return distance * board.size < NEAR ? index : -1;
    }, () => moved(), () => render());

    const tiling = inParts(ui.presence, BUSY);
    async function fill() {
      const side = clamp(Math.round(board.size / 28), 6, 16), canvases = [];
      const done = await tiling(side * side, (i) => {
        const unit = [(2 * (i % side) + 1) / side - 1, 1 - (2 * Math.floor(i / side) + 1) / side];
        paint(canvases[i] = el("canvas"), decode(Float32Array.from(toCode(model, unit))), shape, ui.colors);
      });
      if (done) board.tiles = canvases;
    }

    function showTip() {
      tip.node.hidden = state.over < 0 || !board.node.matches(":hover");
      if (tip.node.hidden) return;
      const [x, y] = points.subarray(2 * state.over, 2 * state.over + 2), side = (part) => `calc(${part * 50}% + 12px)`;
      tip.show(images.at(state.over), `${data.noun} ${name(state.over)}`);
      Object.assign(tip.node.style, {  // on that side of the image's point that has more room
        left: x < 0 ? side(x + 1) : "auto", right: x < 0 ? "auto" : side(1 - x),
        top: y > 0 ? side(1 - y) : "auto", bottom: y > 0 ? "auto" : side(1 + y),
      });
    }

    function show() {
      const z = toCode(model, state.at), x = decode(Float32Array.from(z));
      decoded.show(x, `decoded z = ${tuple(z)}`, { label: `Picture decoded by ${model.name} from z = ${tuple(z)}` });
      const { index } = nearest(points, state.at, images.count);
      closest.show(images.at(index), `nearest ${data.noun}: ${name(index)}`);
      line.node.hidden = !state.line;
      if (state.line) line.show(state.from ?? state.at, state.at);
      showTip();
      board.follow();
    }

    const node = el("section", { className: "panel", "aria-label": model.name },
      ...(single ? [] : [el("h3", { textContent: model.name })]), board.node, aside, line.node);
    return { node, model, decode, show, fill, redraw: board.redraw };
  }));

  const render = onceAFrame(ui.presence, () => panels.forEach((panel) => panel.show()));
  const moved = () => { render(); ui.changed(); };
  const refill = () => state.tiles && panels.forEach((panel) => panel.fill());
  const redraw = () => { panels.forEach((panel) => panel.redraw()); key.redraw(); };
  const key = legend(ui, data, (only) => { state.only = only; redraw(); });
  const words = "Drag to draw a line; the pictures along it stand below.";
  const hint = el("p", { className: "note", hidden: true, textContent: words });
  const bar = el("div", { className: "bar", hidden: brief },
    choice("What dragging does", [[false, "Point"], [true, "Line"]], (line) => {
      Object.assign(state, { line, from: line ? state.at : null });
      hint.hidden = !line;
      render();
    }),
    choice("What the plane shows", [[false, "Points"], [true, "Decoded pictures"]], (tiles) => {
      state.tiles = tiles;
      redraw();
      refill();
    }),
    key.node);
  const className = `panels ${brief ? "brief" : single ? "single" : ""}`;
  ui.root.append(bar, hint, el("div", { className }, ...panels.map((panel) => panel.node)));

  const { model: first } = panels[0];
  return {
    get z() { return toCode(first, state.at); },
    set z(z) { state.at = toUnit(first, z); render(); },
    say: () => `z = ${tuple(toCode(first, state.at))}`,
    decode: (z, k = 0) => panels[k].decode(Float32Array.from(z)).slice(),
    redraw() { redraw(); refill(); panels.forEach((panel) => panel.show()); },
  };
}
