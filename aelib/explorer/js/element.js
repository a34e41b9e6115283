// On a page: an element that holds its data as JSON, and starts when it comes into view.

import { mount } from "./mount.js";

const NAME = "aelib-explorer";
const AHEAD = "200px";  // of the visible part of the page

export function define() {
  if (customElements.get(NAME)) return;
  customElements.define(NAME, class extends HTMLElement {
    #waiting = null;
    #started = false;
    #presence = null;

    connectedCallback() {
      this.#presence?.enter();
      if (this.#waiting) return;
      this.#waiting = new IntersectionObserver((entries) => {
        if (!entries.some((entry) => entry.isIntersecting)) return;
        this.#waiting.disconnect();
        this.#start();
      }, { rootMargin: AHEAD });
      this.#waiting.observe(this);
    }

    disconnectedCallback() {
      this.#presence?.leave();
      if (this.#started) return;
      this.#waiting?.disconnect();
      this.#waiting = null;
    }

    async #start() {
      this.#started = true;
      try {
        const data = JSON.parse(this.querySelector("script[type='application/json']").textContent);
        const { view, presence } = await mount(this, data);
        this.#presence = presence;
        if (!this.isConnected) presence.leave();  // it was taken away meanwhile
        this.view = view;
      } catch (error) {
        console.error("The explorer did not start; its still picture stays.", error);
      }
    }
  });
}
