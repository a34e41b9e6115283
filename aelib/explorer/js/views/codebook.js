// A grid of symbols, each of which can be exchanged.

import { examples, picture, surface } from "../canvas.js";
import { arrow, button, el, within } from "../dom.js";
import { onceAFrame } from "../frames.js";
import { network } from "../network/network.js";
import { clamp } from "../numbers.js";
import { unpackFloats, unpackImages } from "../unpack.js";

const OFFERED = 12;  // codes to put at the chosen place, the most used ones

// How often each code is used, the most used first; the chosen one stands out, and a click picks one.
function histogram(ui, usage, byUse, chosen, pick) {
  const count = usage.length, used = usage.filter(Boolean).length;
  const label = `How often each of the ${count} codes is used: ${used} of them are`;
  const board = surface(ui, { className: "bars", role: "img", "aria-label": label }, (context, wide, tall) => {
    const step = wide / count, most = usage[byUse[0]] || 1;
    byUse.forEach((k, i) => {
      const bar = (usage[k] / most) * (tall - 4);
      context.fillStyle = k === chosen() ? ui.colors.accent : ui.colors.faint(0.45);
      context.fillRect(i * step, tall - bar, Math.max(step - (step > 4), 1), bar);
      if (k === chosen()) context.fillRect(i * step - 1, tall - 3, Math.max(step, 3), 3);
    });
  });
  board.node.addEventListener("pointerdown", (event) => (
    pick(byUse[clamp(Math.floor(within(board.node, event)[0] * count), 0, count - 1)])));
  return board;
}

export async function codebook(ui, data) {
  const images = await unpackImages(data.images), vectors = await unpackFloats(data.codebook);
  const decode = await network(data.model.decoder), { shape } = data.model.decoder;
  const [height, width] = data.grid, places = height * width, count = data.usage.length, dim = vectors.length / count;
  const byUse = [...data.usage.keys()].sort((a, b) => data.usage[b] - data.usage[a]);
  const grid = Uint16Array.from(data.indices[0]), z = new Float32Array(dim * places);
  let image = 0, place = places >> 1;

  const pictureOf = (codes) => {
    codes.forEach((k, p) => { for (let c = 0; c < dim; c++) z[c * places + p] = vectors[k * dim + c]; });
    return decode(z);
  };
  const decoded = picture(ui, shape, "decoded"), original = picture(ui, images.shape, "closest");
  const cells = Array.from(grid, (_, p) => button("", () => choose(p), { className: "cell" }));
  const words = "Grid of codes. The arrow keys move in it.";
  const table = el("div", { className: "grid", role: "group", "aria-label": words }, ...cells);
  table.style.gridTemplateColumns = `repeat(${width}, 1fr)`;
  const asked = "Code at the chosen place";
  const entry = el("input", { type: "number", min: 0, max: count - 1, step: 1, "aria-label": asked });
  const offers = byUse.slice(0, OFFERED).map((k) => {
    const one = picture(ui, shape);
    const node = button("", () => put(k), { className: "example", "aria-label": `Put code ${k} there` });
    node.append(one.node);
    return { k, node, one };
  });
  const usage = histogram(ui, data.usage, byUse, () => grid[place], (k) => put(k));

  const render = onceAFrame(ui.presence, () => {
    decoded.show(pictureOf(grid), "decoded");
    original.show(images.at(image), `${data.noun} it starts from`);
    cells.forEach((cell, p) => {
      cell.textContent = grid[p];
      cell.setAttribute("aria-pressed", p === place);
      cell.tabIndex = p === place ? 0 : -1;
    });
    entry.value = grid[place];
    const tried = grid.slice();
    offers.forEach(({ k, one }) => {
      tried[place] = k;
      one.show(pictureOf(tried), `${k}`);
    });
    usage.redraw();
    ui.changed();
  });
  const known = (k) => clamp(Math.round(k), 0, count - 1);
  function choose(p) { place = p; render(); }
  function put(k) { grid[place] = known(k); render(); }
  const load = (i) => { image = i; grid.set(data.indices[i]); render(); };
  entry.addEventListener("change", () => put(Number(entry.value)));
  table.addEventListener("keydown", (event) => {
    const [dx, dy] = (arrow(event) ?? []).map(Math.sign);
    if (dx === undefined) return;
    event.preventDefault();
    const x = clamp((place % width) + dx, 0, width - 1), y = clamp(Math.floor(place / width) - dy, 0, height - 1);
    choose(y * width + x);
    cells[place].focus();
  });

  const starts = examples(ui, images.shape, `${data.noun}s to start from`,
    Array.from({ length: images.count }, (_, i) => [images.at(i), `Start from ${data.noun} ${i + 1}`]), load);
  const random = () => {
    for (let p = 0; p < places; p++) grid[p] = Math.floor(Math.random() * count);
    render();
  };
  ui.root.append(el("div", { className: "drawing" },
    el("section", { className: "tools", "aria-label": "Picture" },
      el("div", { className: "aside" }, decoded.node, original.node),
      el("div", { className: "bar" }, button("Random codes", random)), starts.node),
    el("section", { "aria-label": "Codes" }, table,
      el("div", { className: "bar" }, el("label", {}, `${asked} `, entry)),
      el("p", { className: "title", textContent: "with another code there" }),
      el("div", { className: "examples offers" }, ...offers.map((one) => one.node)),
      el("p", { className: "title", textContent: "how often each code is used, the most used first" }), usage.node)));
  load(0);
  return {
    get z() { return Array.from(grid); },
    set z(to) { grid.set(to.map(known)); render(); },
    say: () => `Place ${place + 1} of ${places}: code ${grid[place]}`,
    redraw() { starts.redraw(); render(); },
  };
}
