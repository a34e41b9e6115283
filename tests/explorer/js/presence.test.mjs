import assert from "node:assert/strict";
import { test } from "node:test";
import { animation, inParts, onceAFrame } from "../../../aelib/explorer/js/frames.js";
import { Presence, observe } from "../../../aelib/explorer/js/presence.js";
import { Observer, frames, watching } from "./stubs.mjs";

const here = () => {
  const presence = new Presence();
  presence.enter();
  return presence;
};

test("tasks run while it is here, and again when it comes back", () => {
  const presence = new Presence(), signals = [];
  presence.during((signal) => signals.push(signal));
  assert.equal(signals.length, 0);
  presence.enter();
  presence.enter();
  assert.equal(signals.length, 1);
  presence.leave();
  presence.leave();
  assert.ok(signals[0].aborted && !presence.here);
  presence.enter();
  assert.ok(signals.length === 2 && !signals[1].aborted);
});

test("an observer watches until it leaves", () => {
  const presence = here(), node = {};
  Observer.all = [];
  presence.during((signal) => observe(signal, new Observer(), [node]));
  assert.deepEqual(watching().map((one) => one.nodes), [[node]]);
  presence.leave();
  assert.deepEqual(watching(), []);
});

test("a task runs once a frame, and not after leaving", () => {
  const clock = frames(), presence = here();
  let runs = 0;
  const task = onceAFrame(presence, () => runs++);
  task();
  task();
  clock.pass();
  assert.equal(runs, 1);
  task();
  presence.leave();
  task();
  clock.pass();
  assert.equal(runs, 1);
  presence.enter();
  task();
  clock.pass();
  assert.equal(runs, 2);
});

test("an animation counts from its first frame, and ends by itself, by stop or by leaving", () => {
  const clock = frames(), presence = here(), times = [];
  let stops = 0;
  const reel = animation(presence, (time) => { times.push(time); return time < 30; }, () => stops++);
  reel.start();
  [100, 115, 130, 145].forEach(clock.pass);
  assert.deepEqual([times, stops, reel.running, clock.waiting], [[0, 15, 30], 1, false, 0]);
  reel.start();
  assert.ok(reel.running);
  presence.leave();
  assert.deepEqual([stops, reel.running, clock.waiting], [2, false, 0]);
  reel.stop();
  assert.equal(stops, 2);
});

test("what is done in parts is given up when it is begun again, or when it leaves", async () => {
  const clock = frames(), presence = here(), done = [];
  const parts = inParts(presence, -1);  // a frame for each
  const settled = () => new Promise((resolve) => setImmediate(resolve));
  const passes = async (n) => { for (let i = 0; i < n; i++) { clock.pass(); await settled(); } };

  const long = parts(5, (i) => done.push(`long ${i}`));
  await passes(1);
  const short = parts(2, (i) => done.push(`short ${i}`));
  await passes(6);
  assert.deepEqual([await long, await short], [false, true]);
  assert.deepEqual(done, ["long 0", "long 1", "short 0", "short 1"]);

  const last = parts(3, (i) => done.push(`last ${i}`));
  presence.leave();
  await passes(2);
  assert.equal(await last, false);
  assert.equal(done.at(-1), "last 0");
});
