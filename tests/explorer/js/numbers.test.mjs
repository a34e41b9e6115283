import assert from "node:assert/strict";
import { test } from "node:test";
import { clamp, normals, number, shareBelow, tuple } from "../../../aelib/explorer/js/numbers.js";

test("numbers have a true minus sign, and zero has none", () => {
  assert.equal(number(-1.255, 1), "−1.3");
  assert.equal(number(-0.001), "0.00");
  assert.equal(number(-0.4, 0), "0");
  assert.equal(number(-0.01), "−0.01");
  assert.equal(tuple([0.5, -2]), "(0.50, −2.00)");
});

test("clamp keeps a number between two others", () => {
  assert.deepEqual([-2, 0.5, 9].map((v) => clamp(v, 0, 1)), [0, 0.5, 1]);
});

test("the share below a number is read from the percentiles, in between along a line", () => {
  const percentiles = [0, 1, 3, 3, 7];  // of 0, 25, 50, 75 and 100 %
  assert.equal(shareBelow(percentiles, -1), 0);
  assert.equal(shareBelow(percentiles, 0), 0);
  assert.equal(shareBelow(percentiles, 1), 0.25);
  assert.equal(shareBelow(percentiles, 2), 0.375);
  assert.equal(shareBelow(percentiles, 3), 0.5);
  assert.equal(shareBelow(percentiles, 5), 0.875);
  assert.equal(shareBelow(percentiles, 7.1), 1);
});

test("normals have the moments of N(0, 1) and are the same each time", () => {
  const z = normals(20000), mean = (f) => z.reduce((sum, v) => sum + f(v), 0) / z.length;
  assert.ok(Math.abs(mean((v) => v)) < 0.03);  // four standard errors
  assert.ok(Math.abs(mean((v) => v * v) - 1) < 0.04);
  assert.ok(Math.abs(mean((v) => v ** 4) - 3) < 0.3);
  assert.deepEqual(normals(5), z.slice(0, 5));
});
