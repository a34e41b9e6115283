// Cases from PyTorch, which test_front_end.py writes: { modules, networks, codes, images }.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { multiply } from "../../../aelib/explorer/js/network/matrix.js";
import { unpackCodes, unpackImages } from "../../../aelib/explorer/js/unpack.js";

assert.ok(process.env.AELIB_CASES, "the cases are missing: run pytest tests/explorer/test_front_end.py, which writes them");
const cases = JSON.parse(readFileSync(process.env.AELIB_CASES, "utf8"));

function close(found, expected, tolerance) {
  assert.equal(found.length, expected.length);
  expected.forEach((v, i) => assert.ok(Math.abs(found[i] - v) <= tolerance * Math.max(1, Math.abs(v)),
    `number ${i} is ${found[i]}, should be ${v}`));
}

for (const [how, address] of Object.entries(cases.modules)) {
  const { network } = await import(address);
  for (const { name, steps, inputs, outputs } of cases.networks) {
    test(`${name} answers as in PyTorch, ${how}`, async () => {
      const run = await network({ steps });
      assert.ok(inputs.length > 1);  // a second answer does not stand on the remains of the first
      inputs.forEach((x, i) => close(run(Float32Array.from(x)), outputs[i], 1e-5));
    });
  }
}

test("a product takes four rows at a time", () => {
  const weight = Float32Array.from([1, 2, 3, 4, 5, 6, 7, 8]), out = new Float32Array(8);
  multiply(weight, Float32Array.from([0, 0, 0, 100]), 4, 2, Float32Array.from([1, 10, -1, 0]), 2, out);
  assert.deepEqual([...out], [21, -1, 43, -3, 65, -5, 187, 93]);
});

test("codes come back to a 65535th of their range", async () => {
  const { packed, values, range } = cases.codes, found = await unpackCodes(packed);
  values.forEach((v, i) => assert.ok(Math.abs(found[i] - v) <= range / 65535 / 2 + 1e-6));
});

test("images come back to a byte", async () => {
  const { packed, values } = cases.images, images = await unpackImages(packed);
  assert.equal(images.count, values.length);
  values.forEach((image, i) => close(images.at(i), image, 0.5 / 255 + 1e-6));
});
