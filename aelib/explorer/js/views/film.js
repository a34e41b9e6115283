// A film of a training.

import { paint, pictures } from "../canvas.js";
import { button, el } from "../dom.js";
import { animation, calm } from "../frames.js";
import { clamp } from "../numbers.js";
import { unitPoints } from "../plane/geometry.js";
import { legend } from "../plane/legend.js";
import { pad } from "../plane/pad.js";
import { unpack, unpackCodes, unpackImages } from "../unpack.js";

const FRAME_MS = 700;  // how long a frame is played

export async function film(ui, data) {
  const labels = await unpack(data.labels), originals = await unpackImages(data.images);
  const frames = await Promise.all(data.frames.map(async (frame) => ({
    label: frame.label,
    points: unitPoints(data, await unpackCodes(frame.codes)),
    images: await unpackImages(frame.images),
  })));
  const state = { tiles: false, only: -1, over: -1 }, end = frames.length - 1;
  let position = end, begin = 0, points = frames[end].points.slice();

  const board = pad(ui, { ...data, view: data, points: () => points, labels }, state,
    `Plane of codes of ${labels.length} ${data.noun}s`);
  const key = legend(ui, data, (only) => { state.only = only; board.redraw(); });
  const above = pictures(originals.count), below = pictures(originals.count);
  const label = el("output", { className: "now" });
  const slider = el("input", {
    type: "range", min: 0, max: end, step: 1, value: end, className: "scrubber", "aria-label": "Moment of the training",
  });
  const play = button("Play", () => (reel.running ? reel.stop() : start()));

  function show() {
    const from = Math.floor(position), to = Math.min(from + 1, end), part = position - from;
    const now = frames[Math.round(position)];
    points = frames[from].points.map((v, i) => v + (frames[to].points[i] - v) * part);
    slider.value = Math.round(position);
    slider.setAttribute("aria-valuetext", now.label);
    label.textContent = now.label;
    above.forEach((canvas, i) => paint(canvas, originals.at(i), originals.shape, ui.colors));
    below.forEach((canvas, i) => paint(canvas, now.images.at(i), originals.shape, ui.colors));
    board.redraw();
  }
  const go = (to) => { position = clamp(to, 0, end); show(); };
  const reel = animation(ui.presence, (time) => {
    const to = begin + time / FRAME_MS;
    go(calm() ? Math.floor(to) : to);
    return to < end;
  }, () => {
    play.textContent = "Play";
    go(Math.round(position));
  });
  function start() {
    begin = position === end ? 0 : position;
    reel.start();
    play.textContent = "Pause";
  }
  slider.addEventListener("input", () => { const to = Number(slider.value); reel.stop(); go(to); });

  const line = (title, canvases, words) => el("figure", { className: "line" }, el("figcaption", { textContent: title }),
    el("div", { className: "row", role: "img", "aria-label": words }, ...canvases));
  ui.root.append(
    el("div", { className: "bar" }, play, slider, label),
    el("div", { className: "panels single" }, el("section", { className: "panel" }, board.node,
      el("div", { className: "aside" }, key.node,
        line("originals", above, `${originals.count} ${data.noun}s`),
        line("reconstructions", below, "What the model makes of them at this moment")))));
  return {
    z: [],
    say: () => frames[Math.round(position)].label,
    go,
    get points() { return points; },
    redraw() { key.redraw(); show(); },
  };
}
