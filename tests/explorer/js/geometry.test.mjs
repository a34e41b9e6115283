import assert from "node:assert/strict";
import { test } from "node:test";
import {
  apart, inView, middles, nearest, ticks, toCode, toUnit, unitPoints,
} from "../../../aelib/explorer/js/plane/geometry.js";

const view = { center: [1, -2], half: 4 };

test("codes and positions are two names of one place", () => {
  assert.deepEqual(toCode(view, [0, 0]), [1, -2]);
  assert.deepEqual(toCode(view, [1, -1]), [5, -6]);
  assert.deepEqual(toUnit(view, [5, -6]), [1, -1]);
  assert.deepEqual([...unitPoints(view, Float32Array.from([1, -2, -3, 2]))], [0, 0, -1, 1]);
  assert.deepEqual(inView([-3, 0.5]), [-1, 0.5]);
});

test("the nearest point is looked for among the first ones", () => {
  const points = Float32Array.from([0, 0, 1, 1, 0.9, 0.9]);
  assert.equal(nearest(points, [0.8, 0.8]).index, 2);
  assert.deepEqual(nearest(points, [1, 0.5], 2), { index: 1, distance: 0.5 });
});

test("the middle of a class is its median, and a class without points has none", () => {
  const points = Float32Array.from([0, 0, 1, 2, 100, 4, 5, 5]);
  assert.deepEqual(middles(points, Uint8Array.from([0, 0, 0, 2]), ["a", "b", "c"]), [[1, 2], null, [5, 5]]);
});

test("labels that overlap move apart, others stay", () => {
  const labels = [{ x: 0, y: 0, half: 5 }, { x: 4, y: 2, half: 5 }, { x: 50, y: 0, half: 5 }];
  const [a, b, c] = apart(labels, 10);
  assert.ok(Math.abs(a.y - b.y) > 9.9);
  assert.equal(a.y + b.y, 2);
  assert.equal(c.y, 0);
});

test("ticks are round numbers inside of the view", () => {
  assert.deepEqual(ticks({ center: [0, 0], half: 1 }, 0), [
    { at: -1, label: "−1.0", zero: false }, { at: -0.5, label: "−0.5", zero: false },
    { at: 0, label: "0.0", zero: true }, { at: 0.5, label: "0.5", zero: false }, { at: 1, label: "1.0", zero: false },
  ]);
  assert.deepEqual(ticks(view, 1).map((tick) => tick.label), ["−6", "−4", "−2", "0", "2"]);
});
