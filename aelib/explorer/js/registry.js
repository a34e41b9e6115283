// The views, by the names that page.py gives them.

import { codebook } from "./views/codebook.js";
import { draw } from "./views/draw.js";
import { film } from "./views/film.js";
import { plane } from "./views/plane.js";
import { texts } from "./views/texts.js";
import { traversal } from "./views/traversal.js";

export const VIEWS = { plane, draw, film, traversal, texts, codebook };
