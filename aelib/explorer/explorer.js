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
  const size = bytes.length / (step.bits > 8 ? 2 : 1), real = scale.length, columns = size / real;
  const rows = (real + 3) & ~3;
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
      for (let c = 0, i = 0; c < scale.length; c++) {
        for (let p = 0; p < area; p++, i++) out[i] = x[i] * scale[c] + shift[c];
      }
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
function theme(host, changed) {
  const colors = {
    update() {
      const style = getComputedStyle(host);
      colors.ink = (style.color.match(/[\d.]+/g) ?? [34, 40, 50]).slice(0, 3).map(Number);
      colors.dark = colors.ink[0] * 0.3 + colors.ink[1] * 0.59 + colors.ink[2] * 0.11 > 128;
      colors.accent = colors.dark ? "#6cb6ff" : "#0a58ca";
      colors.paper = colors.dark ? "#14181e" : "#ffffff";
      colors.halo = colors.dark ? "rgba(16,20,26,.85)" : "rgba(255,255,255,.9)";
      colors.font = style.fontFamily;
      const variables = { accent: colors.accent, line: colors.faint(0.3), faint: colors.faint(0.08), paper: colors.paper };
      for (const [name, value] of Object.entries(variables)) host.style.setProperty(`--${name}`, value);
    },
    faint: (alpha) => `rgba(${colors.ink},${alpha})`,
    // Class colors are given for white paper: on a dark page they are mixed with white, the darker the more.
    of(hex) {
      const rgb = [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
      const part = colors.dark ? clamp(0.95 - (rgb[0] * 0.3 + rgb[1] * 0.59 + rgb[2] * 0.11) / 130, 0.15, 1) : 0;
      return `rgb(${rgb.map((v) => Math.round(v + (255 - v) * part))})`;
    },
  };
  colors.update();
  const again = () => {
    const before = `${colors.ink} ${colors.font}`;
    colors.update();
    if (`${colors.ink} ${colors.font}` !== before) changed();
  };
  const soon = () => { requestAnimationFrame(again); setTimeout(again, 300); };  // a theme may fade over
  const observer = new MutationObserver(soon);
  for (const node of [document.documentElement, document.body]) observer.observe(node, { attributes: true });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", soon);
  new ResizeObserver(again).observe(host);  // a widget is built before its place is on the page, and has no style there
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

// Labels { x, y, half, … } that overlap, moved apart up and down, a little at a time.
function apart(labels, height) {
  for (let round = 0; round < 20; round++) {
    labels.forEach((a, i) => labels.slice(i + 1).forEach((b) => {
      const overlap = height - Math.abs(a.y - b.y);
      if (overlap <= 0 || Math.abs(a.x - b.x) >= a.half + b.half) return;
      const up = a.y <= b.y ? -overlap / 4 : overlap / 4;
      a.y += up;
      b.y -= up;
    }));
  }
  return labels;
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
    if (state.tiles && tiles.length) {
      const side = Math.sqrt(tiles.length), step = size / side;
      tiles.forEach((tile, i) => context.drawImage(tile, (i % side) * step, Math.floor(i / side) * step, step, step));
      return;
    }
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
    context.textAlign = "center";
    context.textBaseline = "middle";
    const tall = size > 260 ? 15 : 12, font = `600 ${tall}px ${ui.colors.font}`;
    context.font = font;
    const named = middles(places, labels, classes).flatMap((center, k) => {
      if (!center || (state.only >= 0 && state.only !== k)) return [];
      const [x, y] = place(size, center);
      return { x, y, half: context.measureText(classes[k]).width / 2, name: classes[k] };
    });
    apart(named, tall).forEach(({ x, y, name }) => text(context, name, x, y, font, ui.colors.faint(1)));
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
    const { at, from, over } = state;
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
    if (over >= 0) ring(place(size, [places[2 * over], places[2 * over + 1]]), 5, ui.colors.faint(0.8), 1.5);
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
      hues = colors.map(ui.colors.of);
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
  const labels = await unpack(data.labels), images = await unpackImages(data.images);
  const name = (i) => data.classes[labels[i]];
  // In units of the plane: where the point is and where its line starts; over which image the pointer is, or -1.
  const state = { at: data.start, from: null, line: false, tiles: false, over: -1, only: -1 };
  const single = data.models.length === 1;

  const panels = await Promise.all(data.models.map(async (model) => {
    const decode = await network(model.decoder), points = unitPoints(model, await unpackCodes(model.codes));
    const shape = model.decoder.shape;
    const board = pad(ui, { ...data, view: model, points: () => points, labels }, state, "");
    const decoded = picture(ui, shape, "decoded"), closest = picture(ui, images.shape, "closest");
    const tip = picture(ui, images.shape, "tip");
    const strip = Array.from({ length: STRIP }, () => el("canvas", { className: "picture" }));
    const strips = el("div", { className: "strip", role: "img", hidden: true }, ...strip);
    const aside = el("div", { className: "aside" }, decoded.node, closest.node);
    board.node.append(tip.node);

    board.node.tabIndex = 0;
    board.node.setAttribute("role", "application");
    board.node.setAttribute("aria-roledescription", "two-dimensional slider");
    board.node.setAttribute("aria-label", `Plane of codes of ${model.name}. The arrow keys move the point, with Shift `
      + "five times as far; Home centers it; Space starts a line there.");

    const hover = (event) => {
      const { index, distance } = nearest(points, board.unit(event), images.count);
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
        } else {
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
      const side = clamp(Math.round(board.size / 28), 6, 16), canvases = new Array(side * side);
      let paused = performance.now();
      for (let i = 0; i < canvases.length; i++) {
        const unit = [(2 * (i % side) + 1) / side - 1, 1 - (2 * Math.floor(i / side) + 1) / side];
        paint(canvases[i] = el("canvas"), decode(Float32Array.from(toCode(model, unit))), shape, ui.colors);
        if (performance.now() - paused > 12) {
          await nextFrame();
          paused = performance.now();
        }
      }
      board.tiles = canvases;
    }

    function show() {
      const z = toCode(model, state.at), x = decode(Float32Array.from(z));
      decoded.show(x, `decoded z = ${tuple(z)}`, { label: `Picture decoded by ${model.name} from z = ${tuple(z)}` });
      const { index } = nearest(points, state.at, images.count);
      closest.show(images.at(index), `nearest ${data.noun}: ${name(index)}`);
      strips.hidden = !state.line;
      if (state.line) {
        const from = state.from ?? state.at;
        strip.forEach((canvas, i) => {
          const unit = from.map((v, axis) => v + ((state.at[axis] - v) * i) / (STRIP - 1));
          paint(canvas, decode(Float32Array.from(toCode(model, unit))), shape, ui.colors);
        });
        strips.setAttribute("aria-label", `${STRIP} pictures decoded along the line to z = ${tuple(z)}`);
      }
      tip.node.hidden = state.over < 0 || !board.node.matches(":hover");
      if (!tip.node.hidden) {
        const [x, y] = points.subarray(2 * state.over, 2 * state.over + 2), side = (part) => `calc(${part * 50}% + 12px)`;
        tip.show(images.at(state.over), `${data.noun} ${name(state.over)}`);
        Object.assign(tip.node.style, {  // on that side of the image's point that has more room
          left: x < 0 ? side(x + 1) : "auto", right: x < 0 ? "auto" : side(1 - x),
          top: y > 0 ? side(1 - y) : "auto", bottom: y > 0 ? "auto" : side(1 + y),
        });
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
  const redraw = () => { panels.forEach((panel) => panel.redraw()); key.redraw(); };
  const key = legend(ui, data, (only) => { state.only = only; redraw(); });
  const words = "Drag to draw a line; the pictures along it stand below.";
  const hint = el("p", { className: "note", hidden: true, textContent: words });
  ui.root.append(
    el("div", { className: "bar" },
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
      key.node),
    hint,
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

// ── View 2: a sheet to draw on ──────────────────────────────────────────────────────────────────────────────────────

const NEAREST = 5;  // known images shown beside a drawing
const PEN = { radius: 0.7, edge: 1.1 };  // pixels: full ink up to the radius, none beyond radius + edge

// n numbers from N(0, 1), the same ones at every visit: Box & Muller on a linear congruential generator.
function normals(n) {
  let state = 1;
  const uniform = () => (state = (state * 1664525 + 1013904223) % 2 ** 32) / 2 ** 32;
  const normal = () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
  return Float32Array.from({ length: n }, normal);
}

// Ink along the segment between two points, in pixels of the sheet; or none there, where it is erased.
function stroke(sheet, width, [ax, ay], [bx, by], erase) {
  const length = (bx - ax) ** 2 + (by - ay) ** 2;
  for (let p = 0; p < sheet.length; p++) {
    const x = (p % width) + 0.5, y = Math.floor(p / width) + 0.5;
    const t = length ? clamp(((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / length, 0, 1) : 0;
    const distance = Math.hypot(x - ax - t * (bx - ax), y - ay - t * (by - ay));
    const ink = clamp((PEN.radius + PEN.edge - distance) / PEN.edge, 0, 1);
    sheet[p] = erase ? Math.min(sheet[p], 1 - ink) : Math.max(sheet[p], ink);
  }
}

// The code as bars around zero; `most` is the length of the longest one.
function bars(ui, most) {
  let code = [];
  const board = surface({ className: "bars", role: "img" }, (context, width, height) => {
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
      board.node.setAttribute("aria-label", code.length > 8 ? `A code of ${code.length} numbers` : `Code ${tuple(code)}`);
      board.redraw();
    },
  };
}

// The share of numbers below v, from 0 to 1, when these are their percentiles 0, 1, …, 100.
function shareBelow(percentiles, v) {
  const end = percentiles.length - 1;
  if (v <= percentiles[0]) return 0;
  if (v > percentiles[end]) return 1;
  const i = percentiles.findIndex((q) => q >= v), low = percentiles[i - 1];
  return (i - 1 + (v - low) / (percentiles[i] - low)) / end;
}

const BINS = 48;

// Where the error of a drawing stands among the errors of images that the model was not trained on.
function anomaly(ui, percentiles, crowd) {
  const top = 1.5 * percentiles[99];  // of the scale: two thirds of it hold nearly all images
  const heights = Array.from({ length: BINS }, (_, i) => (
    shareBelow(percentiles, ((i + 1) * top) / BINS) - shareBelow(percentiles, (i * top) / BINS)));
  const tallest = Math.max(...heights), score = el("p", { className: "title score" });
  let error = 0;
  const scale = surface({ className: "bars scale", role: "img" }, (context, width, height) => {
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
      const share = shareBelow(percentiles, error), percent = Math.floor(100 * share);
      const part = share === 0 ? "none of" : share === 1 ? "all" : percent ? `${percent} % of` : "fewer than 1 % of";
      score.textContent = `anomaly score: ${part} ${crowd} ${share === 0 ? "has" : "have"} a smaller error`;
      scale.node.setAttribute("aria-label", `Histogram of their errors, most of them from ${number(percentiles[5], 1)} `
        + `to ${number(percentiles[95], 1)}; the drawing's is ${number(error, 1)}`);
      scale.redraw();
    },
    say: () => score.textContent,
  };
}

async function draw(ui, data) {
  const images = await unpackImages(data.images), labels = await unpack(data.labels);
  const [, height, width] = images.shape, size = width * height, noise = normals(size);
  const name = (i) => data.classes[labels[i]];
  const clean = new Float32Array(size), seen = new Float32Array(size);  // the drawing; the drawing under noise
  let level = 0, erase = false, last = null, pen = null;  // where the pen is: of the pointer; of the keys

  const panels = await Promise.all(data.models.map(async (model) => {
    const encode = await network(model.encoder), decode = await network(model.decoder);
    const known = await unpackCodes(model.codes);
    const d = model.codes.low.length, count = model.codes.count;
    const most = known.reduce((largest, v) => Math.max(largest, Math.abs(v)), 1e-9);
    const decoded = picture(ui, images.shape, "decoded"), errors = picture(ui, images.shape, "errors");
    const code = bars(ui, most);
    // Weighed is what the model is shown, noise and all: a watchman has nothing else to compare its copy with.
    const strange = model.unseen && anomaly(ui, await unpackFloats(model.unseen),
      `${data.unseen.toLocaleString("en")} ${data.noun}s that it was not trained on`);
    const near = Array.from({ length: NEAREST }, () => picture(ui, images.shape));
    const node = el("section", { className: "panel", "aria-label": model.name },
      el("h4", { textContent: model.name }),
      el("div", { className: "pair" }, decoded.node, errors.node), ...(strange ? strange.nodes : []),
      el("p", { className: "title", textContent: d === 1 ? "the code" : `the code, ${d} numbers` }), code.node,
      el("p", { className: "title", textContent: `nearest known ${data.noun}s, by code` }),
      el("div", { className: "row" }, ...near.map((one) => one.node)));
    const panel = {
      node, encode, decode, z: new Float32Array(d), say: () => (strange ? `. ${model.name}, ${strange.say()}` : ""),
      show() {
        panel.z.set(encode(seen));
        const x = decode(panel.z), difference = x.map((v, i) => v - clean[i]);
        const error = number(difference.reduce((sum, v) => sum + v * v, 0), 1);
        decoded.show(x, "reconstruction", { label: `Reconstruction by ${model.name}` });
        errors.show(difference, `squared error ${error}`, {
          label: `Reconstruction minus drawing; its squares sum to ${error}`, signed: true,
        });
        strange?.show(x.reduce((sum, v, i) => sum + (v - seen[i]) ** 2, 0));
        code.show(panel.z);
        const distances = Array.from({ length: count }, (_, i) => (
          panel.z.reduce((sum, v, k) => sum + (v - known[i * d + k]) ** 2, 0)));
        const order = Array.from(distances.keys()).sort((i, j) => distances[i] - distances[j]);
        near.forEach((one, k) => {
          one.node.hidden = k >= count;
          if (k < count) one.show(images.at(order[k]), name(order[k]), { label: `${data.noun} ${name(order[k])}` });
        });
      },
    };
    return panel;
  }));

  const sheet = el("canvas", {
    className: "sheet picture", tabIndex: 0, role: "application", "aria-roledescription": "drawing",
    "aria-label": "Sheet to draw on with mouse, finger or pen. The arrow keys move the pen, with Shift they draw or erase.",
  });
  const render = onceAFrame(() => {
    clean.forEach((v, i) => { seen[i] = clamp(v + level * noise[i], 0, 1); });
    paint(sheet, seen, images.shape, ui.colors);
    if (pen) {
      const context = sheet.getContext("2d");
      context.fillStyle = ui.colors.accent;
      context.fillRect(pen[0], pen[1], 1, 1);
    }
    panels.forEach((panel) => panel.show());
    ui.changed();
  });
  const at = (event) => {
    const box = sheet.getBoundingClientRect();
    return [((event.clientX - box.left) / box.width) * width, ((event.clientY - box.top) / box.height) * height];
  };
  const to = (point) => { stroke(clean, width, last ?? point, point, erase); last = point; render(); };
  Object.entries({
    pointerdown(event) {
      if (event.button) return;
      sheet.setPointerCapture(event.pointerId);
      pen = null;
      to(at(event));
    },
    pointermove(event) {
      if (!sheet.hasPointerCapture(event.pointerId)) return;
      const passed = event.getCoalescedEvents?.() ?? [];
      (passed.length ? passed : [event]).forEach((one) => to(at(one)));
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
  }).forEach(([type, listener]) => sheet.addEventListener(type, listener));

  const load = (i) => { clean.set(images.at(i)); render(); };
  const examples = data.examples.map((i) => {
    const canvas = el("canvas", { className: "picture" });
    const node = button("", () => load(i), { className: "example", "aria-label": `Start from ${data.noun} ${name(i)}` });
    node.append(canvas);
    return { i, canvas, node };
  });
  const slider = el("input", { type: "range", min: 0, max: 1, step: 0.05, value: 0 });
  slider.addEventListener("input", () => { level = Number(slider.value); render(); });
  ui.root.append(el("div", { className: "drawing" },
    el("section", { className: "tools", "aria-label": "Drawing" },
      sheet,
      el("div", { className: "bar" },
        choice("What the pen does", [[false, "Draw"], [true, "Erase"]], (to) => { erase = to; }),
        button("Clear", () => { clean.fill(0); render(); }),
        el("label", {}, "Noise ", slider)),
      el("div", { className: "examples", role: "group", "aria-label": `${data.noun}s to start from` },
        ...examples.map((one) => one.node))),
    el("div", { className: "panels" }, ...panels.map((panel) => panel.node))));
  const redraw = () => {
    examples.forEach((one) => paint(one.canvas, images.at(one.i), images.shape, ui.colors));
    render();
  };
  load(data.examples[0]);

  return {
    get z() { return Array.from(panels[0].z); },
    say: () => (`Code ${panels[0].z.length > 8 ? `of ${panels[0].z.length} numbers` : tuple(panels[0].z)}`
      + panels.map((panel) => panel.say()).join("")),
    draw(x) { clean.set(x); render(); },
    decode: (z, k = 0) => panels[k].decode(Float32Array.from(z)).slice(),
    encode: (x, k = 0) => panels[k].encode(Float32Array.from(x)).slice(),
    get seen() { return seen.slice(); },
    redraw,
  };
}

// ── View 3: a film of a training ────────────────────────────────────────────────────────────────────────────────────

const FRAME_MS = 700;  // how long a frame is played

async function film(ui, data) {
  const labels = await unpack(data.labels), originals = await unpackImages(data.images);
  const frames = await Promise.all(data.frames.map(async (frame) => ({
    label: frame.label,
    points: unitPoints(data, await unpackCodes(frame.codes)),
    images: await unpackImages(frame.images),
  })));
  const state = { tiles: false, only: -1, over: -1 }, end = frames.length - 1;
  let position = end, playing = 0, points = frames[end].points.slice();

  const words = `Plane of codes of ${labels.length} ${data.noun}s`;
  const board = pad(ui, { ...data, view: data, points: () => points, labels }, state, words);
  const key = legend(ui, data, (only) => { state.only = only; board.redraw(); });
  const cells = () => Array.from({ length: originals.count }, () => el("canvas", { className: "picture" }));
  const above = cells(), below = cells();
  const label = el("output", { className: "now" });
  const slider = el("input", {
    type: "range", min: 0, max: end, step: 1, value: end, className: "scrubber", "aria-label": "Moment of the training",
  });
  const play = button("Play", () => (playing ? stop() : start()));

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
  function stop() {
    cancelAnimationFrame(playing);
    playing = 0;
    play.textContent = "Play";
    go(Math.round(position));
  }
  function start() {
    const begin = position === end ? 0 : position;
    let since = null;
    const tick = (time) => {
      since ??= time;
      const to = begin + (time - since) / FRAME_MS;
      if (to >= end) return go(end), stop();
      go(calm() ? Math.floor(to) : to);
      playing = requestAnimationFrame(tick);
    };
    playing = requestAnimationFrame(tick);
    play.textContent = "Pause";
  }
  slider.addEventListener("input", () => { const to = Number(slider.value); if (playing) stop(); go(to); });

  const strip = (title, canvases, words) => el("figure", { className: "line" }, el("figcaption", { textContent: title }),
    el("div", { className: "row", role: "img", "aria-label": words }, ...canvases));
  ui.root.append(
    el("div", { className: "bar" }, play, slider, label),
    el("div", { className: "panels single" }, el("section", { className: "panel" }, board.node,
      el("div", { className: "aside" }, key.node,
        strip("originals", above, `${originals.count} ${data.noun}s`),
        strip("reconstructions", below, "What the model makes of them at this moment")))));
  return {
    z: [],
    say: () => frames[Math.round(position)].label,
    go,
    get points() { return points; },
    redraw() { key.redraw(); show(); },
  };
}

// ── View 4: one number of the code at a time ────────────────────────────────────────────────────────────────────────

const SWEEP_MS = 3000;  // there and back

async function traversal(ui, data) {
  const images = await unpackImages(data.images), { reach } = data, d = data.models[0].kl.length;
  const picked = data.models[0].keys.slice();  // a value for each control
  const opened = new Map();
  const open = (entry) => {
    if (!opened.has(entry)) opened.set(entry, Promise.all([network(entry.decoder), unpackCodes(entry.codes)]));
    return opened.get(entry);
  };
  let [entry] = data.models, [decode, codes] = await open(entry);
  let image = 0, active = entry.order[0], sweeping = 0, rows = [];
  const z = new Float32Array(d);

  const shape = entry.decoder.shape, most = Math.max(...data.models.flatMap((one) => one.kl), 1e-9);
  const decoded = picture(ui, shape, "decoded"), original = picture(ui, images.shape, "closest");
  const strip = Array.from({ length: STRIP }, () => el("canvas", { className: "picture" }));
  const strips = el("div", { className: "strip", role: "img" }, ...strip), words = el("p", { className: "note" });
  const sliders = el("div", { className: "sliders" }), scores = el("dl", { className: "scores" });

  const render = onceAFrame(() => {
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
    words.textContent = `z${active + 1} alone, from ${number(-reach, 1)} to ${number(reach, 1)}; a click on a name sweeps it`;
    strips.setAttribute("aria-label", `${STRIP} pictures: ${words.textContent}`);
    ui.changed();
  });

  function stop() {
    cancelAnimationFrame(sweeping);
    sweeping = 0;
  }
  function sweep(i) {
    stop();
    active = i;
    const home = z[i];
    let since = null;
    const tick = (time) => {
      since ??= time;
      const part = (time - since) / SWEEP_MS;
      z[i] = part < 1 ? reach * Math.sin(2 * Math.PI * part) : home;
      render();
      sweeping = part < 1 ? requestAnimationFrame(tick) : 0;
    };
    if (calm()) render();  // the pictures in a row show the same without motion
    else sweeping = requestAnimationFrame(tick);
  }

  // The sliders of a model, the number that tells most about an image first.
  function list() {
    rows = entry.order.map((i) => {
      const input = el("input", { type: "range", min: -reach, max: reach, step: 0.05, "aria-label": `z${i + 1}` });
      input.addEventListener("input", () => { stop(); active = i; z[i] = Number(input.value); render(); });
      const share = el("i", { className: "share" }), value = el("output");
      share.style.width = `${(100 * entry.kl[i]) / most}%`;
      const told = `${number(entry.kl[i])} nats`;
      const node = el("div", { className: "slider" }, button(`z${i + 1}`, () => sweep(i), { "aria-label": `Sweep z${i + 1}` }),
        input, value, el("span", { className: "told", title: "how much this number tells about an image" }, told, share));
      return { i, input, value, node };
    });
    sliders.replaceChildren(...rows.map((row) => row.node));
    scores.replaceChildren(...Object.entries(entry.scores).map(([name, value]) => (
      el("div", {}, el("dt", { textContent: name }), el("dd", { textContent: number(value) })))));
  }
  const load = (k) => {
    stop();
    image = k;
    z.set(codes.subarray(k * d, (k + 1) * d));
    render();
  };
  async function choose(control, value) {
    picked[control] = value;
    stop();
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

  const examples = Array.from({ length: images.count }, (_, k) => {
    const canvas = el("canvas", { className: "picture" });
    const node = button("", () => load(k), { className: "example", "aria-label": `Start from ${data.noun} ${k + 1}` });
    node.append(canvas);
    return { k, canvas, node };
  });
  ui.root.append(
    el("div", { className: "bar" }, ...(data.models.length > 1 ? controls : [])), scores,
    el("div", { className: "drawing" },
      el("section", { className: "tools", "aria-label": "Picture" },
        el("div", { className: "aside" }, decoded.node, original.node),
        el("div", { className: "examples", role: "group", "aria-label": `${data.noun}s to start from` },
          ...examples.map((one) => one.node))),
      el("section", { "aria-label": "The code" }, sliders, words, strips)));
  list();
  load(0);
  return {
    get z() { return Array.from(z); },
    set z(to) { stop(); z.set(to); render(); },
    say: () => `z${active + 1} = ${number(z[active])}`,
    decode: (code) => decode(Float32Array.from(code)).slice(),
    get chosen() { return entry.name; },
    redraw() {
      examples.forEach((one) => paint(one.canvas, images.at(one.k), images.shape, ui.colors));
      render();
    },
  };
}

// ── View 5: texts between two texts ─────────────────────────────────────────────────────────────────────────────────

async function texts(ui, data) {
  let path = data.paths[0], step = 0;
  const slider = el("input", { type: "range", min: 0, step: 1, className: "scrubber", "aria-label": "Step along the way" });
  const lines = el("ol", { className: "texts" });
  const show = () => {
    slider.max = path.length - 1;
    slider.value = step;
    slider.setAttribute("aria-valuetext", path[step]);
    lines.replaceChildren(...path.map((text, i) => (
      el("li", { textContent: text || "(empty)", "aria-current": i === step ? "step" : "false" }))));
    ui.changed();
  };
  slider.addEventListener("input", () => { step = Number(slider.value); show(); });
  const which = choice("Which two", data.paths.map((one, k) => [k, `${k + 1}`]), (k) => { path = data.paths[k]; step = 0; show(); });
  ui.root.append(el("div", { className: "bar" }, ...(data.paths.length > 1 ? ["Pair ", which] : []), slider), lines);
  show();
  return { z: [], say: () => path[step], redraw() {}, get text() { return path[step]; } };
}

// ── View 6: a grid of symbols ───────────────────────────────────────────────────────────────────────────────────────

const OFFERED = 12;  // codes to put at the chosen place, the most used ones

async function codebook(ui, data) {
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
  const table = el("div", { className: "grid", role: "group", "aria-label": "Grid of codes. The arrow keys move in it." }, ...cells);
  table.style.gridTemplateColumns = `repeat(${width}, 1fr)`;
  const entry = el("input", { type: "number", min: 0, max: count - 1, step: 1, "aria-label": "Code at the chosen place" });
  const offers = byUse.slice(0, OFFERED).map((k) => {
    const one = picture(ui, shape);
    const node = button("", () => put(k), { className: "example", "aria-label": `Put code ${k} there` });
    node.append(one.node);
    return { k, node, one };
  });
  const histogram = surface({ className: "bars", role: "img",
    "aria-label": `How often each of the ${count} codes is used: ${data.usage.filter(Boolean).length} of them are` },
    (context, wide, tall) => {
      const step = wide / count, most = data.usage[byUse[0]] || 1;
      byUse.forEach((k, i) => {
        const bar = (data.usage[k] / most) * (tall - 4);
        context.fillStyle = k === grid[place] ? ui.colors.accent : ui.colors.faint(0.45);
        context.fillRect(i * step, tall - bar, Math.max(step - (step > 4), 1), bar);
        if (k === grid[place]) context.fillRect(i * step - 1, tall - 3, Math.max(step, 3), 3);
      });
    });
  histogram.node.addEventListener("pointerdown", (event) => {
    const box = histogram.node.getBoundingClientRect();
    put(byUse[clamp(Math.floor(((event.clientX - box.left) / box.width) * count), 0, count - 1)]);
  });

  const render = onceAFrame(() => {
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
    histogram.redraw();
    ui.changed();
  });
  function choose(p) { place = p; render(); }
  function put(k) { grid[place] = clamp(Math.round(k), 0, count - 1); render(); }
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

  const examples = Array.from({ length: images.count }, (_, i) => {
    const canvas = el("canvas", { className: "picture" });
    const node = button("", () => load(i), { className: "example", "aria-label": `Start from ${data.noun} ${i + 1}` });
    node.append(canvas);
    return { i, canvas, node };
  });
  const random = () => { for (let p = 0; p < places; p++) grid[p] = byUse[Math.floor(Math.random() * count)]; render(); };
  ui.root.append(el("div", { className: "drawing" },
    el("section", { className: "tools", "aria-label": "Picture" },
      el("div", { className: "aside" }, decoded.node, original.node),
      el("div", { className: "bar" }, button("Random codes", random)),
      el("div", { className: "examples", role: "group", "aria-label": `${data.noun}s to start from` },
        ...examples.map((one) => one.node))),
    el("section", { "aria-label": "Codes" }, table,
      el("div", { className: "bar" }, el("label", {}, "Code at the chosen place ", entry)),
      el("p", { className: "title", textContent: "with another code there" }),
      el("div", { className: "examples offers" }, ...offers.map((one) => one.node)),
      el("p", { className: "title", textContent: "how often each code is used, the most used first" }), histogram.node)));
  load(0);
  return {
    get z() { return Array.from(grid); },
    set z(to) { grid.set(to.map((k) => clamp(Math.round(k), 0, count - 1))); render(); },
    say: () => `Place ${place + 1} of ${places}: code ${grid[place]}`,
    redraw() {
      examples.forEach((one) => paint(one.canvas, images.at(one.i), images.shape, ui.colors));
      render();
    },
  };
}

// ── Start ───────────────────────────────────────────────────────────────────────────────────────────────────────────

const STYLE = `
:host { display: block; position: relative; max-width: 60rem; padding: 5px; margin-bottom: 1.2rem; line-height: 1.4; }
* { box-sizing: border-box; }
[hidden] { display: none !important; }
h4 { margin: 0 0 .3rem; font-size: 1em; font-weight: 600; }
p, figure { margin: 0; }
canvas { display: block; }
.picture { width: 100%; image-rendering: pixelated; box-shadow: 0 0 0 1px var(--line); border-radius: 3px; }
figcaption, .title, .note { font-size: .8rem; opacity: .85; }
.note, .title { margin: .35rem 0 .15rem; }
.bar { display: flex; flex-wrap: wrap; align-items: center; gap: .4rem .7rem; margin: .4rem 0; font-size: .85rem; }
button { font: inherit; color: inherit; background: none; border: 1px solid var(--line); border-radius: 4px;
  padding: .2rem .6rem; min-height: 2rem; cursor: pointer; }
button:hover { background: var(--faint); }
button[aria-pressed=true] { border-color: var(--accent); box-shadow: inset 0 0 0 1px var(--accent); color: var(--accent); }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
input { accent-color: var(--accent); }
label { display: inline-flex; align-items: center; gap: .4rem; }
.choice { display: inline-flex; }
.choice button { border-radius: 0; margin-left: -1px; }
.choice button:first-child { border-radius: 4px 0 0 4px; }
.choice button:last-child { border-radius: 0 4px 4px 0; }
.legend { display: flex; flex-wrap: wrap; gap: .15rem; }
.class { border-color: transparent; padding: .1rem .4rem; display: inline-flex; align-items: center; gap: .3rem; }
.dot { width: .7em; height: .7em; border-radius: 50%; }
.panels { display: grid; gap: 1.2rem; grid-template-columns: repeat(auto-fit, minmax(min(100%, 13rem), 1fr)); }
.panels.single { grid-template-columns: minmax(0, 1fr); }
.panels.single .panel { display: grid; grid-template-columns: minmax(0, 26rem) minmax(0, 1fr); gap: 1rem; }
.panels.single .strip { grid-column: 1 / -1; }
.pad { position: relative; width: 100%; max-width: 26rem; aspect-ratio: 1; cursor: crosshair; user-select: none;
  box-shadow: 0 0 0 1px var(--line); border-radius: 4px; }
.pad[tabindex] { touch-action: none; }
.pad .below, .pad .above { position: absolute; inset: 0; width: 100%; height: 100%; }
.pad .above { pointer-events: none; }
.tip { position: absolute; z-index: 1; width: 5.5rem; padding: .3rem; pointer-events: none; text-align: center;
  border-radius: 4px; background: var(--paper); border: 1px solid var(--line); }
.aside { display: flex; flex-wrap: wrap; gap: .8rem; align-content: start; margin-top: .6rem; }
.single .aside { margin-top: 0; }
.aside .decoded { flex: 2 1 6rem; max-width: 12.5rem; }
.aside .closest { flex: 1 1 5rem; max-width: 7rem; }
.strip, .row { display: flex; gap: 3px; margin-top: .3rem; }
.strip > *, .row > * { flex: 1 1 0; min-width: 0; }
.row figcaption { text-align: center; }
.drawing { display: grid; grid-template-columns: minmax(0, 16rem) minmax(0, 1fr); gap: 1.4rem; }
.sheet { cursor: crosshair; touch-action: none; aspect-ratio: 1; }
.examples { display: grid; grid-template-columns: repeat(5, 1fr); gap: 4px; }
.example { padding: 2px; }
.example .picture { box-shadow: none; }
.pair { display: flex; gap: .6rem; }
.pair > * { flex: 1 1 0; min-width: 0; max-width: 10rem; }
.bars { width: 100%; height: 3.5rem; }
.score { margin-top: .6rem; }
.control { display: inline-flex; align-items: center; gap: .4rem; }
.sliders { display: grid; gap: .15rem; }
.slider { display: grid; grid-template-columns: 3.2rem minmax(0, 1fr) 3rem 5.5rem; align-items: center; gap: .6rem; font-size: .85rem; }
.slider output { text-align: right; font-variant-numeric: tabular-nums; }
.told { font-size: .8rem; opacity: .85; }
.share { display: block; height: 3px; background: var(--accent); }
.scores { display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; margin: 0 0 .6rem; font-size: .85rem; }
.scores div { display: flex; gap: .4rem; }
.scores dt { opacity: .85; }
.scores dd { margin: 0; font-weight: 600; font-variant-numeric: tabular-nums; }
.grid { display: grid; gap: 2px; max-width: 26rem; }
.cell { min-height: 0; aspect-ratio: 1; padding: 0; font-size: clamp(.5rem, 2.2cqw, .85rem); font-variant-numeric: tabular-nums; }
.offers { grid-template-columns: repeat(auto-fill, minmax(3rem, 1fr)); }
input[type=number] { font: inherit; width: 5rem; color: inherit; background: var(--paper); border: 1px solid var(--line);
  border-radius: 4px; padding: .2rem .4rem; }
.texts { margin: .4rem 0 0; padding-left: 2.2rem; }
.texts li { padding: .1rem .4rem; opacity: .6; border-left: 3px solid transparent; overflow-wrap: anywhere; }
.texts [aria-current=step] { opacity: 1; border-color: var(--accent); background: var(--faint); }
.scrubber { flex: 1 1 10rem; min-width: 6rem; }
.now { min-width: 5rem; font-variant-numeric: tabular-nums; }
.line { flex: 1 1 100%; }
.spoken { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
@container (max-width: 30rem) {
  .panels.single .panel, .drawing { grid-template-columns: minmax(0, 1fr); }
  .sheet { max-width: 18rem; }
}
.frame { container-type: inline-size; }
`;

const VIEWS = { plane, draw, film, traversal, texts, codebook };

// Builds the explorer inside `host`; `changed` is told of every new position.
async function start(host, data, changed = () => {}) {
  let view = null, spoken = 0;
  const live = el("p", { className: "spoken", "aria-live": "polite" });
  const tell = onceAFrame(() => {
    if (!view) return;
    changed(view);
    clearTimeout(spoken);
    spoken = setTimeout(() => { live.textContent = view.say(); }, 500);
  });
  const root = el("div", { className: "frame" });
  const ui = { root, changed: tell, colors: theme(host, () => view?.redraw()) };
  view = await VIEWS[data.view](ui, data);
  root.append(live);
  host.attachShadow({ mode: "open" }).append(el("style", { textContent: STYLE }), root);  // the still picture goes now
  view.redraw();
  return view;
}

// On a page: an element that holds its data as JSON, and starts when it comes into view.
class AelibExplorer extends HTMLElement {
  connectedCallback() {
    if (this.shadowRoot || this.waiting) return;
    this.waiting = new IntersectionObserver((entries) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      this.waiting.disconnect();
      const data = JSON.parse(this.querySelector("script[type='application/json']").textContent);
      start(this, data).then(
        (view) => { this.view = view; },
        (error) => console.error("The explorer did not start; its still picture stays.", error));
    }, { rootMargin: "200px" });
    this.waiting.observe(this);
  }
}
if (!customElements.get("aelib-explorer")) customElements.define("aelib-explorer", AelibExplorer);

// Python's numbers have more bits than the page's: what differs only there is not sent back.
const same = (a, b) => a.length === b.length && a.every((v, i) => Math.fround(v) === Math.fround(b[i]));

// In a live kernel: the front end of an anywidget, with its position as the trait z.
async function render({ model, el: place }) {
  const host = el("div");
  place.append(host);
  const view = await start(host, model.get("data"), ({ z }) => {
    if (same(z, model.get("z"))) return;
    model.set("z", Array.from(z));
    model.save_changes();
  });
  const follow = () => { if (!same(view.z, model.get("z"))) view.z = model.get("z"); };
  if (Object.getOwnPropertyDescriptor(view, "z").set) {
    follow();
    model.on("change:z", follow);
  }
  return () => model.off("change:z", follow);
}

export default { render };
