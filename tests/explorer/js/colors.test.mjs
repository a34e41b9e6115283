import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { pixels } from "../../../aelib/explorer/js/canvas.js";
import { followTheme, onPaper, theme } from "../../../aelib/explorer/js/theme.js";
import { Observer, frames, watching } from "./stubs.mjs";

test("a class color is itself on white paper, and lighter on black", () => {
  assert.equal(onPaper("#102030", false), "rgb(16,32,48)");
  assert.equal(onPaper("#000000", true), "rgb(242,242,242)");  // 95 % white
  assert.equal(onPaper("#ffffff", true), "rgb(255,255,255)");
});

test("pixels are ink, colors, or a signed difference", () => {
  const light = { ink: [1, 2, 3], dark: false };
  assert.deepEqual([...pixels([0, 1], [1, 1, 2], light)], [1, 2, 3, 0, 1, 2, 3, 255]);
  assert.deepEqual([...pixels([1, 0, 0.2], [3, 1, 1], light)], [255, 0, 51, 255]);
  assert.deepEqual([...pixels([1, -1], [1, 1, 2], light, true)], [196, 84, 0, 255, 0, 90, 190, 255]);
});

// A page whose text has this color.
function page(color) {
  const media = new EventTarget(), set = {}, style = { color, fontFamily: "serif" };
  const host = { style: { setProperty: (name, value) => { set[name] = value; } } };
  let reads = 0;
  Object.assign(globalThis, {
    document: { documentElement: {}, body: {} }, MutationObserver: Observer, ResizeObserver: Observer,
    matchMedia: () => media, getComputedStyle: () => { reads++; return style; },
  });
  Observer.all = [];
  return { host, set, style, media, get reads() { return reads; } };
}

afterEach(() => ["document", "MutationObserver", "ResizeObserver", "matchMedia", "getComputedStyle"]
  .forEach((name) => delete globalThis[name]));

test("colors follow the page's ink", () => {
  const { host, set, style } = page("rgb(10, 20, 30)"), colors = theme(host);
  assert.equal(colors.update(), true);
  assert.equal(colors.update(), false);
  assert.deepEqual([colors.dark, colors.ink, set["--accent"]], [false, [10, 20, 30], "#0a58ca"]);
  style.color = "rgb(230, 230, 230)";
  assert.equal(colors.update(), true);
  assert.deepEqual([colors.dark, set["--accent"], colors.faint(0.5)], [true, "#6cb6ff", "rgba(230,230,230,0.5)"]);
});

test("a theme is followed until the signal is aborted; then nothing watches, waits or answers", () => {
  const shown = page("rgb(0, 0, 0)"), clock = frames(), colors = theme(shown.host), life = new AbortController();
  let changes = 0;
  colors.update();
  followTheme(shown.host, colors, () => changes++, life.signal);
  assert.equal(watching().length, 2);
  shown.style.color = "rgb(255, 255, 255)";
  shown.media.dispatchEvent(new Event("change"));
  clock.pass();
  assert.equal(changes, 1);
  shown.media.dispatchEvent(new Event("change"));
  assert.equal(clock.waiting, 1);

  life.abort();
  assert.equal(clock.waiting, 0);
  assert.deepEqual(watching(), []);
  const before = shown.reads;
  shown.media.dispatchEvent(new Event("change"));
  clock.pass();
  assert.equal(shown.reads, before);
});
