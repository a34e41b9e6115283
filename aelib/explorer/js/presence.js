// What an explorer holds only while it is on the page: observers, listeners, frames and timers.
//
// Notebooks take a cell's output off the page and put it back. While it is away it holds nothing that keeps it alive
// or answers for it; when it comes back it takes these up again.

export class Presence {
  #controller = null;
  #tasks = [];

  get here() { return this.#controller !== null; }

  // Calls task(signal) now, if it is here, and whenever it comes back. The signal is aborted when it leaves.
  during(task) {
    this.#tasks.push(task);
    if (this.here) task(this.#controller.signal);
  }

  enter() {
    if (this.here) return;
    this.#controller = new AbortController();
    for (const task of [...this.#tasks]) task(this.#controller.signal);
  }

  leave() {
    this.#controller?.abort();
    this.#controller = null;
  }
}

// The observer watches the nodes until the signal is aborted.
export function observe(signal, observer, nodes, options) {
  for (const node of nodes) observer.observe(node, options);
  signal.addEventListener("abort", () => observer.disconnect());
}
