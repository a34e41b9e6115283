// In a live kernel: the front end of an anywidget, with its position as the trait z.

import { el } from "./dom.js";
import { mount } from "./mount.js";

// Python's numbers have more bits than the page's: what differs only there is not sent back.
export const same = (a, b) => a.length === b.length && a.every((v, i) => Math.fround(v) === Math.fround(b[i]));

// Returns what releases the explorer when its output is removed.
export async function render({ model, el: place }) {
  const host = el("div");
  place.append(host);
  const { view, presence } = await mount(host, model.get("data"), ({ z }) => {
    if (same(z, model.get("z"))) return;
    model.set("z", Array.from(z));
    model.save_changes();
  });
  const follow = () => { if (!same(view.z, model.get("z"))) view.z = model.get("z"); };
  if (Object.getOwnPropertyDescriptor(view, "z").set) {
    follow();
    model.on("change:z", follow);
  }
  return () => {
    model.off("change:z", follow);
    presence.leave();
  };
}
