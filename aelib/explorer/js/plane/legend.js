// The classes, as buttons that single one out.

import { button, el } from "../dom.js";

export function legend(ui, { classes, colors }, pick) {
  let only = -1;
  const dots = classes.map(() => el("i", { className: "dot" }));
  const buttons = classes.map((name, k) => {
    const node = button("", () => {
      only = only === k ? -1 : k;
      buttons.forEach((other, j) => other.setAttribute("aria-pressed", j === only));
      pick(only);
    }, { className: "class", "aria-pressed": "false", "aria-label": `Show only ${name}` });
    node.append(dots[k], name);
    return node;
  });
  return {
    node: el("div", { className: "legend", role: "group", "aria-label": "Classes" }, ...buttons),
    redraw: () => dots.forEach((dot, k) => { dot.style.background = ui.colors.of(colors[k]); }),
  };
}
