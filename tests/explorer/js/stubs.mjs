// What a page gives to the modules, as far as their tests need it: frames that pass when a test says so, and observers
// that can be asked.

export function frames() {
  const waiting = new Map();
  let next = 1;
  globalThis.requestAnimationFrame = (task) => { waiting.set(next, task); return next++; };
  globalThis.cancelAnimationFrame = (id) => waiting.delete(id);
  return {
    get waiting() { return waiting.size; },
    // The next frame, at this time in milliseconds.
    pass(time = 0) {
      const tasks = [...waiting.values()];
      waiting.clear();
      tasks.forEach((task) => task(time));
    },
  };
}

export class Observer {
  static all = [];
  constructor(task) { this.task = task; this.nodes = []; Observer.all.push(this); }
  observe(node) { this.nodes.push(node); }
  disconnect() { this.nodes = []; }
}

export const watching = () => Observer.all.filter((one) => one.nodes.length);
