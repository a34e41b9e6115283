// A sheet to draw on, beside what each model makes of the drawing.

import { examples, paint, picture } from "../canvas.js";
import { anomaly, bars } from "../charts.js";
import { arrow, button, choice, el, listen, within } from "../dom.js";
import { onceAFrame } from "../frames.js";
import { network } from "../network/network.js";
import { clamp, normals, number, tuple } from "../numbers.js";
import { stroke } from "../pen.js";
import { unpack, unpackCodes, unpackFloats, unpackImages } from "../unpack.js";

const NEAREST = 5;  // known images shown beside a drawing

// What one model makes of the drawing: show(clean, seen) takes it without and with noise.
async function panel(ui, data, model, images, name) {
  const encode = await network(model.encoder), decode = await network(model.decoder);
  const known = await unpackCodes(model.codes);
  const d = model.codes.low.length, count = model.codes.count, z = new Float32Array(d);
  const most = known.reduce((largest, v) => Math.max(largest, Math.abs(v)), 1e-9);
  const decoded = picture(ui, images.shape, "decoded"), errors = picture(ui, images.shape, "errors");
  const code = bars(ui, most);
  // Weighed is what the model is shown, noise and all: a watchman has nothing else to compare its copy with.
  const strange = model.unseen && anomaly(ui, await unpackFloats(model.unseen),
    `${data.unseen.toLocaleString("en")} ${data.noun}s that it was not trained on`);
  const near = Array.from({ length: NEAREST }, () => picture(ui, images.shape));
  const node = el("section", { className: "panel", "aria-label": model.name },
    el("h3", { textContent: model.name }),
    el("div", { className: "pair" }, decoded.node, errors.node), ...(strange ? strange.nodes : []),
    el("p", { className: "title", textContent: d === 1 ? "the code" : `the code, ${d} numbers` }), code.node,
    el("p", { className: "title", textContent: `nearest known ${data.noun}s, by code` }),
    el("div", { className: "row" }, ...near.map((one) => one.node)));
  return {
    node, encode, decode, z, say: () => (strange ? `. ${model.name}, ${strange.say()}` : ""),
    show(clean, seen) {
      z.set(encode(seen));
      const x = decode(z), difference = x.map((v, i) => v - clean[i]);
      const error = number(difference.reduce((sum, v) => sum + v * v, 0), 1);
      decoded.show(x, "reconstruction", { label: `Reconstruction by ${model.name}` });
      errors.show(difference, `squared error ${error}`, {
        label: `Reconstruction minus drawing; its squares sum to ${error}`, signed: true,
      });
      strange?.show(x.reduce((sum, v, i) => sum + (v - seen[i]) ** 2, 0));
      code.show(z);
      const distances = Array.from({ length: count }, (_, i) => (
        z.reduce((sum, v, k) => sum + (v - known[i * d + k]) ** 2, 0)));
      const order = Array.from(distances.keys()).sort((i, j) => distances[i] - distances[j]);
      near.forEach((one, k) => {
        one.node.hidden = k >= count;
        if (k < count) one.show(images.at(order[k]), name(order[k]), { label: `${data.noun} ${name(order[k])}` });
      });
    },
  };
}

export async function draw(ui, data) {
  const images = await unpackImages(data.images), labels = await unpack(data.labels);
  const [, height, width] = images.shape, size = width * height, noise = normals(size);
  const name = (i) => data.classes[labels[i]];
  const clean = new Float32Array(size), seen = new Float32Array(size);  // the drawing; the drawing under noise
  let level = 0, erase = false, last = null, pen = null;  // where the pen is: of the pointer; of the keys
  const panels = await Promise.all(data.models.map((model) => panel(ui, data, model, images, name)));

  const sheet = el("canvas", {
    className: "sheet picture", tabIndex: 0, role: "application", "aria-roledescription": "drawing",
    "aria-label": "Sheet to draw on with mouse, finger or pen. The arrow keys move the pen, "
      + "with Shift they draw or erase.",
  });
  const render = onceAFrame(ui.presence, () => {
    clean.forEach((v, i) => { seen[i] = clamp(v + level * noise[i], 0, 1); });
    paint(sheet, seen, images.shape, ui.colors);
    if (pen) {
      const context = sheet.getContext("2d");
      context.fillStyle = ui.colors.accent;
      context.fillRect(pen[0], pen[1], 1, 1);
    }
    panels.forEach((one) => one.show(clean, seen));
    ui.changed();
  });
  const to = (event) => {
    const [x, y] = within(sheet, event), point = [x * width, y * height];
    stroke(clean, width, last ?? point, point, erase);
    last = point;
    render();
  };
  listen(sheet, {
    pointerdown(event) {
      if (event.button) return;
      sheet.setPointerCapture(event.pointerId);
      pen = null;
      to(event);
    },
    pointermove(event) {
      if (!sheet.hasPointerCapture(event.pointerId)) return;
      const passed = event.getCoalescedEvents?.() ?? [];
      (passed.length ? passed : [event]).forEach(to);
    },
    pointerup() { last = null; },
    pointercancel() { last = null; },
    keydown(event) {
      const step = arrow(event);
      if (!step) return;
      event.preventDefault();
      const from = pen ?? [width >> 1, height >> 1];
      pen = [clamp(from[0] + Math.sign(step[0]), 0, width - 1), clamp(from[1] - Math.sign(step[1]), 0, height - 1)];
      if (event.shiftKey) stroke(clean, width, from.map((v) => v + 0.5), pen.map((v) => v + 0.5), erase);
      render();
    },
  });

  const load = (i) => { clean.set(images.at(i)); render(); };
  const starts = examples(ui, images.shape, `${data.noun}s to start from`,
    data.examples.map((i) => [images.at(i), `Start from ${data.noun} ${name(i)}`]), (k) => load(data.examples[k]));
  const slider = el("input", { type: "range", min: 0, max: 1, step: 0.05, value: 0 });
  slider.addEventListener("input", () => { level = Number(slider.value); render(); });
  ui.root.append(el("div", { className: "drawing" },
    el("section", { className: "tools", "aria-label": "Drawing" },
      sheet,
      el("div", { className: "bar" },
        choice("What the pen does", [[false, "Draw"], [true, "Erase"]], (erases) => { erase = erases; }),
        button("Clear", () => { clean.fill(0); render(); }),
        el("label", {}, "Noise ", slider)),
      starts.node),
    el("div", { className: "panels" }, ...panels.map((one) => one.node))));
  load(data.examples[0]);

  return {
    get z() { return Array.from(panels[0].z); },
    say: () => (`Code ${panels[0].z.length > 8 ? `of ${panels[0].z.length} numbers` : tuple(panels[0].z)}`
      + panels.map((one) => one.say()).join("")),
    draw(x) { clean.set(x); render(); },
    decode: (z, k = 0) => panels[k].decode(Float32Array.from(z)).slice(),
    encode: (x, k = 0) => panels[k].encode(Float32Array.from(x)).slice(),
    get seen() { return seen.slice(); },
    redraw() { starts.redraw(); render(); },
  };
}
