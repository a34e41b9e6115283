// The matrix of a weighted step, and its product with positions.

import { unpack, unpackFloats } from "../unpack.js";

// out[r, p] = bias[r] + Σ_c weight[r, c] x[p, c]. Four rows at a time: rows must be a multiple of 4.
export function multiply(weight, bias, rows, columns, x, count, out) {
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

// The matrix that quantize.py wrote, its rows filled up to a multiple of 4 with zeros; `real` of them are the step's.
export async function matrix(step) {
  const [bytes, scale, channels] = await Promise.all(
    [unpack(step.weight), unpackFloats(step.scale), unpackFloats(step.bias)]);
  const size = bytes.length / (step.bits > 8 ? 2 : 1), real = scale.length, columns = size / real;
  const rows = (real + 3) & ~3;
  const weight = new Float32Array(rows * columns);
  for (let r = 0, i = 0; r < real; r++) {
    for (let c = 0; c < columns; c++, i++) {
      const q = step.bits > 8 ? ((bytes[size + i] << 24) >> 16) | bytes[i] : (bytes[i] << 24) >> 24;
      weight[i] = q * scale[r];
    }
  }
  const bias = new Float32Array(rows);
  if (channels.length === real) bias.set(channels);
  return { weight, bias, channels, rows, columns, real };
}
