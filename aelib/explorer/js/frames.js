// What happens frame by frame, and never once the explorer has left the page.

export const nextFrame = () => new Promise((resolve) => requestAnimationFrame(resolve));
export const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

// However often it is called, `task` runs once a frame.
export function onceAFrame(presence, task) {
  let waiting = 0;
  presence.during((signal) => signal.addEventListener("abort", () => {
    cancelAnimationFrame(waiting);
    waiting = 0;
  }));
  return () => {
    if (!waiting && presence.here) waiting = requestAnimationFrame(() => { waiting = 0; task(); });
  };
}

// Calls step(milliseconds since its start) in each frame, until that returns false or stop() is called; then stopped().
export function animation(presence, step, stopped = () => {}) {
  let frame = 0;
  function stop() {
    if (!frame) return;
    cancelAnimationFrame(frame);
    frame = 0;
    stopped();
  }
  function start() {
    stop();
    let since = null;
    const tick = (time) => {
      since ??= time;
      frame = requestAnimationFrame(tick);
      if (step(time - since) === false) stop();
    };
    frame = requestAnimationFrame(tick);
  }
  presence.during((signal) => signal.addEventListener("abort", stop));
  return { start, stop, get running() { return frame !== 0; } };
}

// Does `task` for i = 0, 1, …, count - 1, some milliseconds of it in each frame; false when a later start, or leaving
// the page, put an end to it: what it made is out of date then.
export function inParts(presence, milliseconds) {
  let latest = 0;
  return async (count, task) => {
    const mine = ++latest;
    let paused = performance.now();
    for (let i = 0; i < count; i++) {
      task(i);
      if (performance.now() - paused <= milliseconds) continue;
      await nextFrame();
      if (mine !== latest || !presence.here) return false;
      paused = performance.now();
    }
    return true;
  };
}
