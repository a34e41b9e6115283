// Steps that treat every number alike, or every number of a channel.

import { unpackFloats } from "../unpack.js";

const elementwise = (f) => async () => {
  let out = new Float32Array(0);
  return (x) => {
    if (out.length !== x.length) out = new Float32Array(x.length);
    for (let i = 0; i < x.length; i++) out[i] = f(x[i]);
    return out;
  };
};

export const relu = elementwise((v) => (v > 0 ? v : 0));
export const silu = elementwise((v) => v / (1 + Math.exp(-v)));
export const tanh = elementwise(Math.tanh);
export const sigmoid = elementwise((v) => 1 / (1 + Math.exp(-v)));

// A scale and a shift for each channel: batch normalization that no weighted step could take in.
export async function affine(step) {
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
}
