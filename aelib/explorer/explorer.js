// Latent explorers: small networks that run inside the page and are drawn on canvas.
//
// One ES module without dependency, build step or network request, used twice:
// - inlined in a page it defines <aelib-explorer>, whose data stand inside it as JSON (page.py);
// - in a live kernel its default export is the front end of an anywidget (widget.py).
//
// Data reach the page as text nodes and pixels only, never as HTML. Lines that hold only a comment, and indentation,
// are left out where the module is inlined.

// ── Data: what packing.py wrote ─────────────────────────────────────────────────────────────────────────────────────

async function unpack(text) {
  const packed = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

const unpackFloats = async (text) => new Float32Array((await unpack(text)).buffer);

async function unpackCodes({ low, step, count, data }) {
  const bytes = await unpack(data), size = count * low.length, codes = new Float32Array(size);
  for (let i = 0; i < size; i++) {
    const d = i % low.length;
    codes[i] = low[d] + step[d] * (bytes[i] | (bytes[size + i] << 8));
  }
  return codes;
}

async function unpackImages({ shape, count, data }) {
  const bytes = await unpack(data), size = shape[0] * shape[1] * shape[2];
  return { count, shape, at: (i) => Float32Array.from(bytes.subarray(i * size, (i + 1) * size), (v) => v / 255) };
}

// ── Networks: the steps of layers.py on flat arrays ─────────────────────────────────────────────────────────────────

// out[r, p] = bias[r] + Σ_c weight[r, c] x[p, c]. Four rows at a time: rows must be a multiple of 4.
function multiply(weight, bias, rows, columns, x, count, out) {
  for (let r = 0; r < rows; r += 4) {
    const a = r * columns, b = a + columns, c = b + columns, d = c + columns;
    for (let p = 0, start = 0; p < count; p++, start += columns) {
      let sa = bias[r], sb = bias[r + 1], sc = bias[r + 2], sd = bias[r + 3];
      for (let i = 0; i < columns; i++) {
        const v = x[start + i];
        sa += weight[a + i] * v;
        sb += weight[b + i] * v;
        sc += weight[c + i] * v;
        sd += weight[d + i] * v;
      }
      const at = r * count + p;
      out[at] = sa;
      out[at + count] = sb;
      out[at + 2 * count] = sc;
      out[at + 3 * count] = sd;
    }
  }
}

// The matrix of a step, its rows filled up to a multiple of 4 with zeros.
async function matrix(step) {
  const [bytes, scale, bias] = await Promise.all([unpack(step.weight), unpackFloats(step.scale), unpackFloats(step.bias)]);
  const columns = step.columns_in, real = scale.length, rows = (real + 3) & ~3, size = real * columns;
  const weight = new Float32Array(rows * columns);
  for (let r = 0, i = 0; r < real; r++) {
    for (let c = 0; c < columns; c++, i++) {
      const q = step.bits > 8 ? ((bytes[size + i] << 24) >> 16) | bytes[i] : (bytes[i] << 24) >> 24;
      weight[i] = q * scale[r];
    }
  }
  const padded = new Float32Array(rows);
  if (bias.length === real) padded.set(bias);
  return { weight, bias: padded, channels: bias, rows, columns, real };
}

const elementwise = (f) => async () => {
  let out = new Float32Array(0);
  return (x) => {
    if (out.length !== x.length) out = new Float32Array(x.length);
    for (let i = 0; i < x.length; i++) out[i] = f(x[i]);
    return out;
  };
};

// For each place of the kernel on the smaller grid: where it falls on the larger one, or `outside`.
function windows(channels, small, large, { kernel, stride, padding }, outside, visit) {
  for (let y = 0, p = 0; y < small[1]; y++) {
    for (let x = 0; x < small[2]; x++, p++) {
      for (let c = 0, k = 0; c < channels; c++) {
        for (let i = 0; i < kernel[0]; i++) {
          for (let j = 0; j < kernel[1]; j++, k++) {
            const row = y * stride[0] - padding[0] + i, column = x * stride[1] - padding[1] + j;
            const inside = row >= 0 && row < large[1] && column >= 0 && column < large[2];
            visit(p, k, inside ? (c * large[1] + row) * large[2] + column : outside);
          }
        }
      }
    }
  }
}

// Each kind of step: its data -> a function from array to array, which owns the array that it returns.
const STEPS = {
  relu: elementwise((v) => (v > 0 ? v : 0)),
  silu: elementwise((v) => v / (1 + Math.exp(-v))),
  tanh: elementwise(Math.tanh),
  sigmoid: elementwise((v) => 1 / (1 + Math.exp(-v))),

  async linear(step) {
    const { weight, bias, rows, columns, real } = await matrix(step);
    const out = new Float32Array(rows), seen = out.subarray(0, real);
    return (x) => (multiply(weight, bias, rows, columns, x, 1, out), seen);
  },

  async conv(step) {
    const { weight, bias, rows, columns, real } = await matrix(step);
    const size = step.in[0] * step.in[1] * step.in[2], count = step.out[1] * step.out[2];
    const source = new Int32Array(count * columns), padded = new Float32Array(size + 1);  // the last one stays 0
    windows(step.in[0], step.out, step.in, step, size, (p, k, at) => { source[p * columns + k] = at; });
    const gathered = new Float32Array(count * columns), out = new Float32Array(rows * count);
    const seen = out.subarray(0, real * count);
    return (x) => {
      padded.set(x);
      for (let i = 0; i < source.length; i++) gathered[i] = padded[source[i]];
      multiply(weight, bias, rows, columns, gathered, count, out);
      return seen;
    };
  },

  async transposed(step) {
    const { weight, bias, channels, rows, columns, real } = await matrix(step);
    const count = step.in[1] * step.in[2], area = step.out[1] * step.out[2], size = step.out[0] * area;
    const target = new Int32Array(real * count);
    windows(step.out[0], step.in, step.out, step, size, (p, k, at) => { target[k * count + p] = at; });
    const turned = new Float32Array(count * columns), parts = new Float32Array(rows * count);
    const out = new Float32Array(size + 1), seen = out.subarray(0, size);  // the last one takes what falls outside
    bias.fill(0);
    return (x) => {
      for (let c = 0, i = 0; c < columns; c++) for (let p = 0; p < count; p++, i++) turned[p * columns + c] = x[i];
      multiply(weight, bias, rows, columns, turned, count, parts);
      for (let c = 0; c < channels.length; c++) out.fill(channels[c], c * area, (c + 1) * area);
      for (let i = 0; i < target.length; i++) out[target[i]] += parts[i];
      return seen;
    };
  },

  async affine(step) {
    const [scale, shift] = await Promise.all([unpackFloats(step.weight), unpackFloats(step.bias)]);
    let out = new Float32Array(0);
    return (x) => {
      if (out.length !== x.length) out = new Float32Array(x.length);
      const area = x.length / scale.length;
      for (let c = 0, i = 0; c < scale.length; c++) for (let p = 0; p < area; p++, i++) out[i] = x[i] * scale[c] + shift[c];
      return out;
    };
  },

  async resize({ in: [channels, height, width], out: [, tall, wide], rows, columns }) {
    const out = new Float32Array(channels * tall * wide);
    const mix = (a, b, part) => a + (b - a) * part;
    return (x) => {
      for (let c = 0, i = 0; c < channels; c++) {
        for (let y = 0; y < tall; y++) {
          const above = (c * height + rows[0][y]) * width, below = (c * height + rows[1][y]) * width;
          for (let j = 0; j < wide; j++, i++) {
            const l = columns[0][j], r = columns[1][j], part = columns[2][j];
            out[i] = mix(mix(x[above + l], x[above + r], part), mix(x[below + l], x[below + r], part), rows[2][y]);
          }
        }
      }
      return out;
    };
  },
};

// A function from array to array; what it returns is overwritten by its next call.
async function network({ steps }) {
  const functions = await Promise.all(steps.map((step) => STEPS[step.kind](step)));
  return (x) => functions.reduce((value, f) => f(value), x);
}

// ── Small tools ─────────────────────────────────────────────────────────────────────────────────────────────────────

function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(props)) {
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (key in node) node[key] = value;
    else node.setAttribute(key, value);
  }
  node.append(...children);
  return node;
}

const clamp = (v, low, high) => Math.min(Math.max(v, low), high);
const number = (v, digits = 2) => v.toFixed(digits).replace(/^-(?=0(\.0*)?$)/, "").replace("-", "−");
const tuple = (z) => `(${Array.from(z, (v) => number(v)).join(", ")})`;
const nextFrame = () => new Promise((resolve) => requestAnimationFrame(resolve));
const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

// However often it is called, `task` runs once a frame.
function onceAFrame(task) {
  let waiting = false;
  return () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; task(); });
  };
}

// The colors of the page around the explorer, in whatever theme; `changed` is called when the theme changes.
function theme(root, changed) {
  const accent = root.querySelector(".accent");
  const read = (node) => (getComputedStyle(node).color.match(/[\d.]+/g) ?? [34, 40, 50]).slice(0, 3).map(Number);
  const colors = {
    update() {
      colors.ink = read(root.host);
      colors.accent = `rgb(${read(accent)})`;
      colors.dark = colors.ink[0] * 0.3 + colors.ink[1] * 0.59 + colors.ink[2] * 0.11 > 128;
      colors.halo = colors.dark ? "rgba(16,20,26,.85)" : "rgba(255,255,255,.9)";
      colors.font = getComputedStyle(root.host).fontFamily;
    },
    faint: (alpha) => `rgba(${colors.ink},${alpha})`,
    // Class colors are given for white paper; on a dark page they are mixed with white.
    of(hex) {
      const rgb = [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
      return `rgb(${rgb.map((v) => (colors.dark ? Math.round(v + (255 - v) * 0.3) : v))})`;
    },
  };
  colors.update();
  const again = () => { colors.update(); changed(); };
  const observer = new MutationObserver(() => requestAnimationFrame(again));
  for (const node of [document.documentElement, document.body]) observer.observe(node, { attributes: true });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
  return colors;
}

// A canvas that is drawn anew, sharp, whenever its size changes.
function surface(props, draw) {
  const node = el("canvas", props), context = node.getContext("2d");
  const redraw = () => {
    const ratio = window.devicePixelRatio || 1, { clientWidth: width, clientHeight: height } = node;
    if (!width || !height) return;
    node.width = Math.round(width * ratio);
    node.height = Math.round(height * ratio);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    draw(context, width, height);
  };
  new ResizeObserver(redraw).observe(node);
  return { node, redraw };
}

// Pixels as ink on the page's own paper (one channel), as colors (three), or as a signed difference.
function paint(canvas, values, [channels, height, width], colors, signed = false) {
  canvas.width = width;
  canvas.height = height;
  const image = new ImageData(width, height), area = width * height;
  const more = colors.dark ? [255, 167, 60] : [196, 84, 0], less = colors.dark ? [86, 180, 255] : [0, 90, 190];
  for (let p = 0, i = 0; p < area; p++, i += 4) {
    const v = values[p];
    const rgb = channels === 3 ? [v, values[p + area], values[p + 2 * area]].map((w) => 255 * w)
      : signed ? (v > 0 ? more : less) : colors.ink;
    [image.data[i], image.data[i + 1], image.data[i + 2]] = rgb;
    image.data[i + 3] = channels === 3 ? 255 : 255 * clamp(Math.abs(v), 0, 1);
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
}

// A picture with its caption. `show` takes the pixels, the caption, and what a screen reader says.
function picture(ui, shape, className = "") {
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

const button = (label, onclick, props = {}) => el("button", { type: "button", textContent: label, onclick, ...props });

// One of a few: [[value, label], …].
function choice(label, options, pick) {
  const buttons = options.map(([value, text]) => button(text, () => set(value, true)));
  const set = (value, tell) => {
    buttons.forEach((node, i) => node.setAttribute("aria-pressed", options[i][0] === value));
    if (tell) pick(value);
  };
  set(options[0][0], false);
  return el("div", { className: "choice", role: "group", "aria-label": label }, ...buttons);
}

// ── The plane of codes ──────────────────────────────────────────────────────────────────────────────────────────────
// Positions on a plane are in units of its visible half: (-1, -1) is bottom left, (1, 1) top right.

const toCode = ({ center, half }, [u, v]) => [center[0] + half * u, center[1] + half * v];
const toUnit = ({ center, half }, [x, y]) => [(x - center[0]) / half, (y - center[1]) / half];
const inView = (at) => at.map((v) => clamp(v, -1, 1));

function unitPoints(view, codes) {
  const points = new Float32Array(codes.length);
  for (let i = 0; i < codes.length; i += 2) points.set(toUnit(view, [codes[i], codes[i + 1]]), i);
  return points;
}

function nearest(points, [u, v], count = points.length / 2) {
  let best = -1, least = Infinity;
  for (let i = 0; i < count; i++) {
    const distance = (points[2 * i] - u) ** 2 + (points[2 * i + 1] - v) ** 2;
    if (distance < least) [best, least] = [i, distance];
  }
  return { index: best, distance: Math.sqrt(least) };
}

// The middle of each class, for its label: coordinate-wise medians, which stay clear of stray points.
function middles(points, labels, classes) {
  return classes.map((_, k) => {
    const members = [...labels.keys()].filter((i) => labels[i] === k);
    const median = (axis) => members.map((i) => points[2 * i + axis]).sort((a, b) => a - b)[members.length >> 1];
    return members.length ? [median(0), median(1)] : null;
  });
}

function ticks({ center, half }, axis) {
  const rough = half / 2, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= rough);
  const from = Math.ceil((center[axis] - half) / step), to = Math.floor((center[axis] + half) / step);
  const digits = Math.max(0, -Math.floor(Math.log10(step)));
  return Array.from({ length: to - from + 1 }, (_, i) => (from + i) * step).map((value) => ({
    at: (value - center[axis]) / half, label: number(value, digits), zero: Math.abs(value) < step / 2,
  }));
}

// Two canvases: what changes rarely below (axes, points or decoded tiles), what follows the pointer above.
function pad(ui, { view, points, labels, classes, colors }, state, label) {
  const centers = labels ? middles(points(), labels, classes) : [];
  const place = (size, [u, v]) => [((u + 1) / 2) * size, ((1 - v) / 2) * size];
  const text = (context, string, x, y, font, fill, halo = true) => {
    context.font = font;
    context.lineWidth = 4;
    context.lineJoin = "round";
    context.strokeStyle = ui.colors.halo;
    if (halo) context.strokeText(string, x, y);
    context.fillStyle = fill;
    context.fillText(string, x, y);
  };

  const below = surface({ className: "below" }, (context, size) => {
    const small = `11px ${ui.colors.font}`, faint = ui.colors.faint;
    [0, 1].forEach((axis) => ticks(view, axis).forEach(({ at, label: value, zero }) => {
      const [x, y] = place(size, [at, at]);
      context.fillStyle = faint(zero ? 0.22 : 0.07);
      context.fillRect(...(axis === 0 ? [x, 0, 1, size] : [0, y, size, 1]));
      if (Math.abs(at) > 0.86) return;
      context.textAlign = axis === 0 ? "center" : "left";
      context.textBaseline = axis === 0 ? "alphabetic" : "middle";
      text(context, value, axis === 0 ? x : 6, axis === 0 ? size - 6 : y, small, faint(0.62), false);
    }));
    context.textBaseline = "alphabetic";
    context.textAlign = "right";
    text(context, "z₁", size - 7, size - 7, `italic 13px ${ui.colors.font}`, faint(0.75), false);
    context.textAlign = "left";
    text(context, "z₂", 6, 16, `italic 13px ${ui.colors.font}`, faint(0.75), false);
    if (state.tiles && tiles.length) {
      const side = Math.sqrt(tiles.length), step = size / side, width = Math.round(step * devicePixelRatio) / devicePixelRatio;
      context.imageSmoothingEnabled = true;
      tiles.forEach((tile, i) => tile && context.drawImage(tile, (i % side) * step, Math.floor(i / side) * step, width, width));
      return;
    }
    const radius = clamp(size / 190, 1.5, 2.6), places = points();
    for (let i = 0; i < places.length / 2; i++) {
      const [x, y] = place(size, [places[2 * i], places[2 * i + 1]]);
      context.globalAlpha = state.only >= 0 && labels[i] !== state.only ? 0.07 : 0.78;
      context.fillStyle = labels ? hues[labels[i]] : ui.colors.faint(0.6);
      context.beginPath();
      context.arc(x, y, radius, 0, 7);
      context.fill();
    }
    context.globalAlpha = 1;
    context.textAlign = "center";
    context.textBaseline = "middle";
    centers.forEach((center, k) => {
      if (!center || (state.only >= 0 && state.only !== k)) return;
      text(context, classes[k], ...place(size, center), `600 ${size > 260 ? 15 : 12}px ${ui.colors.font}`, ui.colors.faint(1));
    });
  });

  const above = surface({ className: "above" }, (context, size) => {
    const ring = ([x, y], radius, color, width) => {
      for (const [stroke, line] of [[ui.colors.halo, width + 3], [color, width]]) {
        context.strokeStyle = stroke;
        context.lineWidth = line;
        context.beginPath();
        context.arc(x, y, radius, 0, 7);
        context.stroke();
      }
    };
    const { at, from, over = -1, mark = -1 } = state.cursor(view);
    const places = points();
    if (from) {
      for (const [stroke, line] of [[ui.colors.halo, 5], [ui.colors.accent, 2]]) {
        context.strokeStyle = stroke;
        context.lineWidth = line;
        context.beginPath();
        context.moveTo(...place(size, inView(from)));
        context.lineTo(...place(size, inView(at)));
        context.stroke();
      }
      ring(place(size, inView(from)), 4, ui.colors.accent, 2);
    }
    for (const i of [mark, over]) if (i >= 0) ring(place(size, [places[2 * i], places[2 * i + 1]]), 5, ui.colors.faint(0.8), 1.5);
    if (!at) return;
    const [x, y] = place(size, inView(at));
    ring([x, y], 9, ui.colors.accent, 2.5);
    context.fillStyle = ui.colors.accent;
    context.beginPath();
    context.arc(x, y, 2.5, 0, 7);
    context.fill();
  });

  let tiles = [], hues = [];
  const node = el("div", { className: "pad", role: "img", "aria-label": label }, below.node, above.node);
  return {
    node,
    follow: above.redraw,
    redraw() {
      hues = (colors ?? []).map(ui.colors.of);
      below.redraw();
      above.redraw();
    },
    set tiles(canvases) { tiles = canvases; below.redraw(); },
    unit(event) {
      const box = node.getBoundingClientRect();
      const u = ((event.clientX - box.left) / box.width) * 2 - 1, v = 1 - ((event.clientY - box.top) / box.height) * 2;
      return inView([u, v]);
    },
    get size() { return node.clientWidth; },
  };
}

// Arrow keys -> a step in units of the plane; with Shift it is five times as long.
function arrow(event) {
  const step = event.shiftKey ? 0.2 : 0.04;
  return { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowDown: [0, -step], ArrowUp: [0, step] }[event.key];
}

// The classes, as buttons that single one out.
function legend(ui, { classes, colors }, pick) {
  let only = -1;
  const dots = classes.map(() => el("i", { className: "dot" }));
  const buttons = classes.map((name, k) => {
    const node = button("", () => {
      only = only === k ? -1 : k;
      buttons.forEach((other, j) => other.setAttribute("aria-pressed", j === only));
      pick(only);
    }, { className: "class", "aria-pressed": "false", "aria-label": `Show only ${name}` });
    node.append(dots[k], name);
    return node;
  });
  return {
    node: el("div", { className: "legend", role: "group", "aria-label": "Classes" }, ...buttons),
    redraw: () => dots.forEach((dot, k) => { dot.style.background = ui.colors.of(colors[k]); }),
  };
}

// ── View 1: one plane a model, one cursor for all ───────────────────────────────────────────────────────────────────

const STRIP = 9;  // pictures along a line

async function plane(ui, data) {
  const labels = data.labels && (await unpack(data.labels)), images = data.images && (await unpackImages(data.images));
  const state = {
    at: data.start, from: null, line: false, tiles: false, over: -1, only: -1,
    cursor: () => state,
  };
  const single = data.models.length === 1;

  const panels = await Promise.all(data.models.map(async (model) => {
    const decode = await network(model.decoder), points = unitPoints(model, await unpackCodes(model.codes));
    const shape = model.decoder.shape;
    const board = pad(ui, { ...data, view: model, points: () => points, labels }, state, "");
    const decoded = picture(ui, shape, "decoded"), closest = images && picture(ui, images.shape, "closest");
    const tip = images && picture(ui, images.shape, "tip"), strip = Array.from({ length: STRIP }, () => el("canvas", { className: "picture" }));
    const strips = el("div", { className: "strip", role: "img", hidden: true }, ...strip);
    const aside = el("div", { className: "aside" }, decoded.node, ...(closest ? [closest.node] : []));
    if (tip) board.node.append(tip.node);

    board.node.tabIndex = 0;
    board.node.setAttribute("role", "application");
    board.node.setAttribute("aria-roledescription", "two-dimensional slider");
    board.node.setAttribute("aria-label", `Plane of codes${single ? "" : ` of ${model.name}`}. The arrow keys move the point, `
      + "with Shift five times as far; Home centers it; Space starts a line there.");
    board.node.append(el("span"));

    const hover = (event) => {
      const { index, distance } = nearest(points, board.unit(event), images ? images.count : undefined);
      state.over = event.pointerType === "mouse" && distance * board.size < 22 ? index : -1;
    };
    Object.entries({
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
        } else if (images) {
          hover(event);
          render();
        }
      },
      pointerleave() { state.over = -1; render(); },
      keydown(event) {
        const step = arrow(event);
        if (step) state.at = inView([state.at[0] + step[0], state.at[1] + step[1]]);
        else if (event.key === "Home") state.at = [0, 0];
        else if (event.key === " " && state.line) state.from = state.at;
        else return;
        event.preventDefault();
        moved();
      },
    }).forEach(([type, listener]) => board.node.addEventListener(type, listener));

    async function fill() {
      const side = clamp(Math.round(board.size / 28), 6, 16), canvases = new Array(side * side), paused = { at: performance.now() };
      for (let i = 0; i < canvases.length; i++) {
        const unit = [(2 * (i % side) + 1) / side - 1, 1 - (2 * Math.floor(i / side) + 1) / side];
        paint(canvases[i] = el("canvas"), decode(Float32Array.from(toCode(model, unit))), shape, ui.colors);
        if (performance.now() - paused.at > 12) {
          await nextFrame();
          paused.at = performance.now();
        }
      }
      board.tiles = canvases;
    }

    function show() {
      const z = toCode(model, state.at), x = decode(Float32Array.from(z));
      decoded.show(x, `decoded from z = ${tuple(z)}`, { label: `Picture decoded by ${model.name} from z = ${tuple(z)}` });
      if (closest) {
        const { index } = nearest(points, state.at, images.count);
        closest.show(images.at(index), `nearest ${data.noun}${labels ? `: ${data.classes[labels[index]]}` : ""}`);
        state.mark = -1;
      }
      strips.hidden = !state.line;
      if (state.line) {
        const from = state.from ?? state.at;
        strip.forEach((canvas, i) => {
          const unit = from.map((v, axis) => v + ((state.at[axis] - v) * i) / (STRIP - 1));
          paint(canvas, decode(Float32Array.from(toCode(model, unit))), shape, ui.colors);
        });
        strips.setAttribute("aria-label", `${STRIP} pictures decoded along the line to z = ${tuple(z)}`);
      }
      if (tip) {
        tip.node.hidden = state.over < 0 || !board.node.matches(":hover");
        if (!tip.node.hidden) {
          const x = points[2 * state.over], y = points[2 * state.over + 1];
          tip.show(images.at(state.over), `${data.noun}${labels ? ` ${data.classes[labels[state.over]]}` : ""}`);
          Object.assign(tip.node.style, {
            left: x < 0 ? `calc(${(x + 1) * 50}% + 12px)` : "auto", right: x < 0 ? "auto" : `calc(${(1 - x) * 50}% + 12px)`,
            top: y > 0 ? `calc(${(1 - y) * 50}% + 12px)` : "auto", bottom: y > 0 ? "auto" : `calc(${(1 + y) * 50}% + 12px)`,
          });
        }
      }
      board.follow();
    }

    const node = el("section", { className: "panel", "aria-label": model.name },
      ...(single ? [] : [el("h4", { textContent: model.name })]), board.node, aside, strips);
    return { node, model, decode, show, fill, redraw: board.redraw };
  }));

  const render = onceAFrame(() => panels.forEach((panel) => panel.show()));
  const moved = () => { render(); ui.changed(); };
  const refill = () => state.tiles && panels.forEach((panel) => panel.fill());
  const redraw = () => { panels.forEach((panel) => panel.redraw()); key?.redraw(); };
  const key = labels && legend(ui, data, (only) => { state.only = only; redraw(); });
  const hintLine = el("p", { className: "note", hidden: true, textContent: "Drag to draw a line; its pictures stand below." });
  ui.root.append(
    el("div", { className: "bar" },
      choice("What dragging does", [[false, "Point"], [true, "Line"]], (line) => {
        Object.assign(state, { line, from: line ? state.at : null });
        hintLine.hidden = !line;
        render();
      }),
      choice("What the plane shows", [[false, data.nouns], [true, "Decoded pictures"]], (tiles) => {
        state.tiles = tiles;
        redraw();
        refill();
      }),
      ...(key ? [key.node] : [])),
    hintLine,
    el("div", { className: `panels ${single ? "single" : "many"}` }, ...panels.map((panel) => panel.node)));

  const { model: first } = panels[0];
  return {
    get z() { return toCode(first, state.at); },
    set z(z) { state.at = toUnit(first, z); render(); },
    say: () => `z = ${tuple(toCode(first, state.at))}`,
    decode: (z, k = 0) => panels[k].decode(Float32Array.from(z)).slice(),
    redraw() { redraw(); refill(); panels.forEach((panel) => panel.show()); },
  };
}
