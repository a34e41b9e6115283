import assert from "node:assert/strict";
import { test } from "node:test";
import { stroke } from "../../../aelib/explorer/js/pen.js";

test("a stroke is black along its way, and white two pixels off", () => {
  const sheet = new Float32Array(64);
  stroke(sheet, 8, [0.5, 3.5], [7.5, 3.5]);
  const row = (y) => [...sheet.subarray(8 * y, 8 * y + 8)];
  assert.deepEqual(row(3), Array(8).fill(1));
  const beside = (0.7 + 1.1 - 1) / 1.1;
  row(2).concat(row(4)).forEach((v) => assert.ok(Math.abs(v - beside) < 1e-6));
  assert.deepEqual([1, 5].flatMap(row), Array(16).fill(0));
});

test("erasing takes away what was there, and no more", () => {
  const sheet = new Float32Array(64).fill(0.5);
  stroke(sheet, 8, [3.5, 3.5], [3.5, 3.5], true);
  assert.equal(sheet[3 * 8 + 3], 0);
  assert.equal(sheet[0], 0.5);
});
