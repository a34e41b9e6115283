// An explorer inside an element of a page or of a notebook.

import { el } from "./dom.js";
import { onceAFrame } from "./frames.js";
import { Presence } from "./presence.js";
import { VIEWS } from "./registry.js";
import { STYLE } from "./style.js";
import { followTheme, theme } from "./theme.js";

export const FORMAT = 1;  // of the data, as in script.py
const PAUSE = 500;  // milliseconds without a move after which a screen reader is told the position

// Builds the explorer inside `host`; `changed` is told of every new position. Whoever takes the host off the page calls
// presence.leave(), and presence.enter() when it is back.
export async function mount(host, data, changed = () => {}) {
  const { format = 1 } = data;
  if (format !== FORMAT) throw new Error(`The data are of format ${format}, the script reads ${FORMAT}.`);
  let view = null, spoken = 0;
  const presence = new Presence(), colors = theme(host);
  const live = el("p", { className: "spoken", "aria-live": "polite" }), root = el("div", { className: "frame" });
  const tell = onceAFrame(presence, () => {
    if (!view) return;
    changed(view);
    clearTimeout(spoken);
    spoken = setTimeout(() => { live.textContent = view.say(); }, PAUSE);
  });
  presence.enter();
  colors.update();
  try {
    view = await VIEWS[data.view]({ root, presence, colors, changed: tell }, data);
  } catch (error) {
    presence.leave();
    throw error;
  }
  root.append(live);
  host.attachShadow({ mode: "open" }).append(el("style", { textContent: STYLE }), root);  // the still picture goes now
  presence.during((signal) => {
    signal.addEventListener("abort", () => clearTimeout(spoken));
    followTheme(host, colors, () => view.redraw(), signal);
    colors.update();
    view.redraw();
  });
  return { view, presence };
}
