// The pen of a sheet to draw on.

import { clamp } from "./numbers.js";

const PEN = { radius: 0.7, edge: 1.1 };  // pixels: full ink up to the radius, none beyond radius + edge

// Ink along the segment between two points, in pixels of the sheet; or none there, where it is erased.
export function stroke(sheet, width, [ax, ay], [bx, by], erase = false) {
  const length = (bx - ax) ** 2 + (by - ay) ** 2;
  for (let p = 0; p < sheet.length; p++) {
    const x = (p % width) + 0.5, y = Math.floor(p / width) + 0.5;
    const t = length ? clamp(((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / length, 0, 1) : 0;
    const distance = Math.hypot(x - ax - t * (bx - ax), y - ay - t * (by - ay));
    const ink = clamp((PEN.radius + PEN.edge - distance) / PEN.edge, 0, 1);
    sheet[p] = erase ? Math.min(sheet[p], 1 - ink) : Math.max(sheet[p], ink);
  }
}
