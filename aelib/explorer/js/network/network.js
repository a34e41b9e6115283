// A network: the steps that layers.py read from a module, on flat arrays.

import { affine, relu, sigmoid, silu, tanh } from "./elementwise.js";
import { conv, transposed } from "./convolution.js";
import { linear } from "./linear.js";
import { resize } from "./resize.js";

// Each kind of step: its data -> a function from array to array, which owns the array that it returns.
const STEPS = { affine, conv, linear, relu, resize, sigmoid, silu, tanh, transposed };

// A function from array to array; what it returns is overwritten by its next call.
export async function network({ steps }) {
  const functions = await Promise.all(steps.map((step) => STEPS[step.kind](step)));
  return (x) => functions.reduce((value, f) => f(value), x);
}
