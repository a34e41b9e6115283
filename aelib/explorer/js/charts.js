// Small charts beside a drawing: a code as bars, and where an error stands among others.

import { surface } from "./canvas.js";
import { el } from "./dom.js";
import { clamp, number, shareBelow, tuple } from "./numbers.js";

const BINS = 48;

// The code as bars around zero; `most` is the length of the longest one.
export function bars(ui, most) {
  let code = [];
  const board = surface(ui, { className: "bars", role: "img" }, (context, width, height) => {
    const step = width / code.length, bar = Math.max(1, Math.min(0.7 * step, 26));
    context.fillStyle = ui.colors.accent;
    code.forEach((v, i) => {
      const tall = clamp(v / most, -1, 1) * (height / 2 - 1);
      context.fillRect((i + 0.5) * step - bar / 2, height / 2 - Math.max(tall, 0), bar, Math.abs(tall));
    });
    context.fillStyle = ui.colors.faint(0.4);
    context.fillRect(0, height / 2, width, 1);
  });
  return {
    node: board.node,
    show(z) {
      code = Array.from(z);
      const label = code.length > 8 ? `A code of ${code.length} numbers` : `Code ${tuple(code)}`;
      board.node.setAttribute("aria-label", label);
      board.redraw();
    },
  };
}

// How many of the images have a smaller error, in words.
export function rank(share, crowd) {
  const percent = Math.floor(100 * share);
  const part = share === 0 ? "none of" : share === 1 ? "all" : percent ? `${percent} % of` : "fewer than 1 % of";
  return `anomaly score: ${part} ${crowd} ${share === 0 ? "has" : "have"} a smaller error`;
}

// Where the error of a drawing stands among the errors of images that the model was not trained on.
export function anomaly(ui, percentiles, crowd) {
  const top = 1.5 * percentiles[99];  // of the scale: two thirds of it hold nearly all images
  const heights = Array.from({ length: BINS }, (_, i) => (
    shareBelow(percentiles, ((i + 1) * top) / BINS) - shareBelow(percentiles, (i * top) / BINS)));
  const tallest = Math.max(...heights), score = el("p", { className: "title score" });
  let error = 0;
  const scale = surface(ui, { className: "bars scale", role: "img" }, (context, width, height) => {
    const floor = height - 16, step = width / BINS;
    context.fillStyle = ui.colors.faint(0.35);
    heights.forEach((v, i) => {
      const bar = (v / tallest) * (floor - 3);
      context.fillRect(i * step, floor - bar, step - 1, bar);
    });
    context.fillStyle = ui.colors.faint(0.4);
    context.fillRect(0, floor, width, 1);
    const x = clamp(error / top, 0, 1) * width, text = `${number(error, 1)}${error > top ? " →" : ""}`;
    context.fillStyle = ui.colors.accent;
    context.fillRect(clamp(x - 1.5, 0, width - 3), 0, 3, floor + 1);
    context.font = `600 12px ${ui.colors.font}`;
    const half = context.measureText(text).width / 2;
    context.textAlign = "center";
    context.fillText(text, clamp(x, half, width - half), height - 3);
  });
  return {
    nodes: [score, scale.node],
    show(to) {
      error = to;
      score.textContent = rank(shareBelow(percentiles, error), crowd);
      scale.node.setAttribute("aria-label", `Histogram of their errors, most of them from ${number(percentiles[5], 1)} `
        + `to ${number(percentiles[95], 1)}; the drawing's is ${number(error, 1)}`);
      scale.redraw();
    },
    say: () => score.textContent,
  };
}
