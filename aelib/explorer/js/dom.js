// Elements and controls. Data become text and attributes, never HTML.

export function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(props)) {
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (key in node) node[key] = value;
    else node.setAttribute(key, value);
  }
  node.append(...children);
  return node;
}

export const listen = (node, listeners) => {
  for (const [type, listener] of Object.entries(listeners)) node.addEventListener(type, listener);
};

export const button = (label, onclick, props = {}) => (
  el("button", { type: "button", textContent: label, onclick, ...props }));

// One of a few: [[value, label], …].
export function choice(label, options, pick) {
  const buttons = options.map(([value, text]) => button(text, () => set(value, true)));
  const set = (value, tell) => {
    buttons.forEach((node, i) => node.setAttribute("aria-pressed", options[i][0] === value));
    if (tell) pick(value);
  };
  set(options[0][0], false);
  return el("div", { className: "choice", role: "group", "aria-label": label }, ...buttons);
}

// Where a pointer is in a node without its border: (0, 0) is top left, (1, 1) bottom right.
export function within(node, event) {
  const box = node.getBoundingClientRect();
  return [
    (event.clientX - box.left - node.clientLeft) / node.clientWidth,
    (event.clientY - box.top - node.clientTop) / node.clientHeight,
  ];
}

// Arrow keys -> a step in units of the plane; with Shift it is five times as long.
export function arrow(event) {
  const step = event.shiftKey ? 0.2 : 0.04;
  return { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowDown: [0, -step], ArrowUp: [0, step] }[event.key];
}
