// One number of the code at a time.

import { examples, paint, picture, pictures } from "../canvas.js";
import { button, choice, el } from "../dom.js";
import { animation, calm, onceAFrame } from "../frames.js";
import { network } from "../network/network.js";
import { number } from "../numbers.js";
import { unpackCodes, unpackImages } from "../unpack.js";

const SWEEP_MS = 3000;  // there and back
const STRIP = 9;  // pictures of the number that is moved

export async function traversal(ui, data) {
  const images = await unpackImages(data.images), { reach } = data, d = data.models[0].kl.length;
  const picked = data.models[0].keys.slice();  // a value for each control
  const opened = new Map();
  const open = (entry) => {
    if (!opened.has(entry)) opened.set(entry, Promise.all([network(entry.decoder), unpackCodes(entry.codes)]));
    return opened.get(entry);
  };
  let [entry] = data.models, [decode, codes] = await open(entry);
  let image = 0, active = entry.order[0], home = 0, rows = [];
  const z = new Float32Array(d);

  const shape = entry.decoder.shape, most = Math.max(...data.models.flatMap((one) => one.kl), 1e-9);
  const decoded = picture(ui, shape, "decoded"), original = picture(ui, images.shape, "closest");
  const strip = pictures(STRIP);
  const strips = el("div", { className: "strip", role: "img" }, ...strip), words = el("p", { className: "note" });
  const sliders = el("div", { className: "sliders" }), scores = el("dl", { className: "scores" });

  const render = onceAFrame(ui.presence, () => {
    decoded.show(decode(z), "decoded", { label: `Picture decoded by ${entry.name}` });
    original.show(images.at(image), `${data.noun} it starts from`);
    rows.forEach(({ i, input, value }) => {
      input.value = z[i];
      value.textContent = number(z[i]);
    });
    const moved = z.slice();
    strip.forEach((canvas, k) => {
      moved[active] = reach * ((2 * k) / (STRIP - 1) - 1);
      paint(canvas, decode(moved), shape, ui.colors);
    });
    words.textContent = `z${active + 1} alone, from ${number(-reach, 1)} to ${number(reach, 1)}; `
      + "a click on a name sweeps it";
    strips.setAttribute("aria-label", `${STRIP} pictures: ${words.textContent}`);
    ui.changed();
  });

  const sweep = animation(ui.presence, (time) => {
    const part = time / SWEEP_MS;
    z[active] = part < 1 ? reach * Math.sin(2 * Math.PI * part) : home;
    render();
    return part < 1;
  });
  function start(i) {
    sweep.stop();
    active = i;
    home = z[i];
    if (calm()) render();  // the pictures in a row show the same without motion
    else sweep.start();
  }

  // The sliders of a model, the number that tells most about an image first.
  function list() {
    rows = entry.order.map((i) => {
      const input = el("input", { type: "range", min: -reach, max: reach, step: 0.05, "aria-label": `z${i + 1}` });
      input.addEventListener("input", () => { sweep.stop(); active = i; z[i] = Number(input.value); render(); });
      const share = el("i", { className: "share" }), value = el("output");
      share.style.width = `${(100 * entry.kl[i]) / most}%`;
      const told = `${number(entry.kl[i])} nats`;
      const node = el("div", { className: "slider" },
        button(`z${i + 1}`, () => start(i), { "aria-label": `Sweep z${i + 1}` }), input, value,
        el("span", { className: "told", title: "how much this number tells about an image" }, told, share));
      return { i, input, value, node };
    });
    sliders.replaceChildren(...rows.map((row) => row.node));
    scores.replaceChildren(...Object.entries(entry.scores).map(([name, value]) => (
      el("div", {}, el("dt", { textContent: name }), el("dd", { textContent: number(value) })))));
  }
  const load = (k) => {
    sweep.stop();
    image = k;
    z.set(codes.subarray(k * d, (k + 1) * d));
    render();
  };
  async function choose(control, value) {
    picked[control] = value;
    sweep.stop();
    entry = data.models.find((one) => one.keys.every((key, i) => key === picked[i]));
    const chosen = entry;
    const ready = await open(entry);
    if (chosen !== entry) return;  // another one was picked meanwhile
    [decode, codes] = ready;
    [active] = entry.order;
    list();
    load(image);
  }
  const values = (control) => [...new Set(data.models.map((one) => one.keys[control]))];
  const controls = data.controls.map((name, control) => (
    el("span", { className: "control" }, `${name} `,
      choice(name, values(control).map((value) => [value, value]), (value) => choose(control, value)))));

  const starts = examples(ui, images.shape, `${data.noun}s to start from`,
    Array.from({ length: images.count }, (_, k) => [images.at(k), `Start from ${data.noun} ${k + 1}`]), load);
  ui.root.append(
    el("div", { className: "bar" }, ...(data.models.length > 1 ? controls : [])), scores,
    el("div", { className: "drawing" },
      el("section", { className: "tools", "aria-label": "Picture" },
        el("div", { className: "aside" }, decoded.node, original.node), starts.node),
      el("section", { "aria-label": "The code" }, sliders, words, strips)));
  list();
  load(0);
  return {
    get z() { return Array.from(z); },
    set z(to) { sweep.stop(); z.set(to); render(); },
    say: () => `z${active + 1} = ${number(z[active])}`,
    decode: (code) => decode(Float32Array.from(code)).slice(),
    get chosen() { return entry.name; },
    redraw() { starts.redraw(); render(); },
  };
}
