// The colors of the page around an explorer, in whatever theme.

import { clamp } from "./numbers.js";
import { observe } from "./presence.js";

const FADE = 300;  // milliseconds in which a page's theme may fade over

// How light a color looks, from 0 to 255.
const lightness = ([r, g, b]) => r * 0.3 + g * 0.59 + b * 0.11;

// A class color, given for white paper: on a dark page it is mixed with white, the darker the more.
export function onPaper(hex, dark) {
  const rgb = [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
  const part = dark ? clamp(0.95 - lightness(rgb) / 130, 0.15, 1) : 0;
  return `rgb(${rgb.map((v) => Math.round(v + (255 - v) * part))})`;
}

// The colors around `host`; update() reads them again and tells whether they changed.
export function theme(host) {
  let before = "";
  const colors = {
    update() {
      const style = getComputedStyle(host), now = `${style.color} ${style.fontFamily}`;
      if (now === before) return false;
      before = now;
      colors.ink = (style.color.match(/[\d.]+/g) ?? [34, 40, 50]).slice(0, 3).map(Number);
      colors.dark = lightness(colors.ink) > 128;
      colors.accent = colors.dark ? "#6cb6ff" : "#0a58ca";
      colors.paper = colors.dark ? "#14181e" : "#ffffff";
      colors.halo = colors.dark ? "rgba(16,20,26,.85)" : "rgba(255,255,255,.9)";
      colors.font = style.fontFamily;
      const { accent, paper, faint } = colors;
      const variables = { accent, paper, line: faint(0.3), faint: faint(0.08) };
      for (const [name, value] of Object.entries(variables)) host.style.setProperty(`--${name}`, value);
      return true;
    },
    faint: (alpha) => `rgba(${colors.ink},${alpha})`,
    of: (hex) => onPaper(hex, colors.dark),
  };
  return colors;
}

// Calls changed() whenever the page's theme changed the colors, until the signal is aborted.
export function followTheme(host, colors, changed, signal) {
  let frame = 0, timer = 0;
  const again = () => { if (colors.update()) changed(); };
  const soon = () => {
    cancelAnimationFrame(frame);
    clearTimeout(timer);
    frame = requestAnimationFrame(again);
    timer = setTimeout(again, FADE);
  };
  signal.addEventListener("abort", () => {
    cancelAnimationFrame(frame);
    clearTimeout(timer);
  });
  observe(signal, new MutationObserver(soon), [document.documentElement, document.body], { attributes: true });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", soon, { signal });
  observe(signal, new ResizeObserver(again), [host]);  // a widget is built off the page, where it has no style
}
