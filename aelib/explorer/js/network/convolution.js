// Both convolutions: the same product of matrices, with a gathering before it or a scattering after it.

import { matrix, multiply } from "./matrix.js";

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

// y = W unfold(x) + b.
export async function conv(step) {
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
}

// y = fold(W x) + b.
export async function transposed(step) {
  const { weight, bias, channels, rows, columns, real } = await matrix(step);
  const count = step.in[1] * step.in[2], area = step.out[1] * step.out[2], size = step.out[0] * area;
  const target = new Int32Array(real * count);
  windows(step.out[0], step.in, step.out, step, size, (p, k, at) => { target[k * count + p] = at; });
  const turned = new Float32Array(count * columns), parts = new Float32Array(rows * count);
  const out = new Float32Array(size + 1), seen = out.subarray(0, size);  // the last one takes what falls outside
  bias.fill(0);  // of the product: the channels' own comes after folding
  return (x) => {
    for (let c = 0, i = 0; c < columns; c++) for (let p = 0; p < count; p++, i++) turned[p * columns + c] = x[i];
    multiply(weight, bias, rows, columns, turned, count, parts);
    for (let c = 0; c < channels.length; c++) out.fill(channels[c], c * area, (c + 1) * area);
    for (let i = 0; i < target.length; i++) out[target[i]] += parts[i];
    return seen;
  };
}
