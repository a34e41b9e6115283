// Positions on a plane of codes, in units of its visible half: (-1, -1) is bottom left, (1, 1) top right.

import { clamp, number } from "../numbers.js";

export const toCode = ({ center, half }, [u, v]) => [center[0] + half * u, center[1] + half * v];
export const toUnit = ({ center, half }, [x, y]) => [(x - center[0]) / half, (y - center[1]) / half];
export const inView = (at) => at.map((v) => clamp(v, -1, 1));

export function unitPoints(view, codes) {
  const points = new Float32Array(codes.length);
  for (let i = 0; i < codes.length; i += 2) points.set(toUnit(view, [codes[i], codes[i + 1]]), i);
  return points;
}

export function nearest(points, [u, v], count = points.length / 2) {
  let best = -1, least = Infinity;
  for (let i = 0; i < count; i++) {
    const distance = (points[2 * i] - u) ** 2 + (points[2 * i + 1] - v) ** 2;
    if (distance < least) [best, least] = [i, distance];
  }
  return { index: best, distance: Math.sqrt(least) };
}

// The middle of each class, for its label: coordinate-wise medians, which stay clear of stray points.
export function middles(points, labels, classes) {
  return classes.map((_, k) => {
    const members = [...labels.keys()].filter((i) => labels[i] === k);
    const median = (axis) => members.map((i) => points[2 * i + axis]).sort((a, b) => a - b)[members.length >> 1];
    return members.length ? [median(0), median(1)] : null;
  });
}

// Labels { x, y, half, … } that overlap, moved apart up and down, a little at a time.
export function apart(labels, height) {
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

// Round numbers along an axis of the visible square, about four of them.
export function ticks({ center, half }, axis) {
  const rough = half / 2, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= rough);
  const from = Math.ceil((center[axis] - half) / step), to = Math.floor((center[axis] + half) / step);
  const digits = Math.max(0, -Math.floor(Math.log10(step)));
  return Array.from({ length: to - from + 1 }, (_, i) => (from + i) * step).map((value) => ({
    at: (value - center[axis]) / half, label: number(value, digits), zero: Math.abs(value) < step / 2,
  }));
}
