// Texts between two texts.

import { choice, el } from "../dom.js";

export async function texts(ui, data) {
  let path = data.paths[0], step = 0;
  const slider = el("input", {
    type: "range", min: 0, step: 1, className: "scrubber", "aria-label": "Step along the way",
  });
  const lines = el("ol", { className: "texts" });
  const show = () => {
    slider.max = path.length - 1;
    slider.value = step;
    slider.setAttribute("aria-valuetext", path[step]);
    lines.replaceChildren(...path.map((text, i) => (
      el("li", { textContent: text || "(empty)", "aria-current": i === step ? "step" : "false" }))));
    ui.changed();
  };
  slider.addEventListener("input", () => { step = Number(slider.value); show(); });
  const pairs = data.paths.map((_, k) => [k, `${k + 1}`]);
  const which = choice("Which two", pairs, (k) => { path = data.paths[k]; step = 0; show(); });
  ui.root.append(el("div", { className: "bar" }, ...(data.paths.length > 1 ? ["Pair ", which] : []), slider), lines);
  show();
  return { z: [], say: () => path[step], redraw() {}, get text() { return path[step]; } };
}
