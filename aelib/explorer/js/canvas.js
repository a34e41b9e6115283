// Canvases: drawings that stay sharp, and pictures.

import { el } from "./dom.js";
import { clamp } from "./numbers.js";
import { observe } from "./presence.js";

// A canvas that is drawn anew, sharp, whenever its size changes.
export function surface(ui, props, draw) {
  const node = el("canvas", props), context = node.getContext("2d");
  const redraw = () => {
    const ratio = window.devicePixelRatio || 1, { clientWidth: width, clientHeight: height } = node;
    if (!width || !height) return;
    node.width = Math.round(width * ratio);
    node.height = Math.round(height * ratio);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    draw(context, width, height);
  };
  ui.presence.during((signal) => observe(signal, new ResizeObserver(redraw), [node]));
  return { node, redraw };
}

// The four numbers of each pixel: ink on the page's own paper (one channel), colors (three), or a signed difference.
export function pixels(values, [channels, height, width], colors, signed = false) {
  const area = width * height, data = new Uint8ClampedArray(4 * area);
  const more = colors.dark ? [255, 167, 60] : [196, 84, 0], less = colors.dark ? [86, 180, 255] : [0, 90, 190];
  for (let p = 0, i = 0; p < area; p++, i += 4) {
    const v = values[p];
    const rgb = channels === 3 ? [v, values[p + area], values[p + 2 * area]].map((w) => 255 * w)
      : signed ? (v > 0 ? more : less) : colors.ink;
    [data[i], data[i + 1], data[i + 2]] = rgb;
    data[i + 3] = channels === 3 ? 255 : 255 * clamp(Math.abs(v), 0, 1);
  }
  return data;
}

export function paint(canvas, values, shape, colors, signed = false) {
  [, canvas.height, canvas.width] = shape;
  const image = new ImageData(pixels(values, shape, colors, signed), canvas.width, canvas.height);
  canvas.getContext("2d").putImageData(image, 0, 0);
}

export const pictures = (count) => Array.from({ length: count }, () => el("canvas", { className: "picture" }));

// A picture with its caption. `show` takes the pixels, the caption, and what a screen reader says.
export function picture(ui, shape, className = "") {
  const canvas = el("canvas", { className: "picture", role: "img" }), caption = el("figcaption");
  const node = el("figure", { className }, canvas, caption);
  return {
    node,
    show(values, text, { label = text, signed = false } = {}) {
      paint(canvas, values, shape, ui.colors, signed);
      caption.textContent = text;
      canvas.setAttribute("aria-label", label);
    },
  };
}

// Images to start from, as buttons: [[values, label], …].
export function examples(ui, shape, label, images, load) {
  const canvases = pictures(images.length);
  return {
    node: el("div", { className: "examples", role: "group", "aria-label": label }, ...images.map(([, name], k) => {
      const node = el("button", { type: "button", className: "example", "aria-label": name, onclick: () => load(k) });
      node.append(canvases[k]);
      return node;
    })),
    redraw: () => canvases.forEach((canvas, k) => paint(canvas, images[k][0], shape, ui.colors)),
  };
}
