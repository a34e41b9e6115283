// Numbers, and how they are written.

export const clamp = (v, low, high) => Math.min(Math.max(v, low), high);

// With a true minus sign, and without one before a zero.
export const number = (v, digits = 2) => v.toFixed(digits).replace(/^-(?=0(\.0*)?$)/, "").replace("-", "−");

export const tuple = (z) => `(${Array.from(z, (v) => number(v)).join(", ")})`;

// The share of numbers below v, from 0 to 1, when these are their percentiles 0, 1, …, 100.
export function shareBelow(percentiles, v) {
  const end = percentiles.length - 1;
  if (v <= percentiles[0]) return 0;
  if (v > percentiles[end]) return 1;
  const i = percentiles.findIndex((q) => q >= v), low = percentiles[i - 1];
  return (i - 1 + (v - low) / (percentiles[i] - low)) / end;
}

// n numbers from N(0, 1), the same ones at every visit: Box & Muller on a linear congruential generator.
export function normals(n) {
  let state = 1;
  const uniform = () => (state = (state * 1664525 + 1013904223) % 2 ** 32) / 2 ** 32;
  const normal = () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
  return Float32Array.from({ length: n }, normal);
}
