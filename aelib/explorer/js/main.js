// Latent explorers: small networks that run inside the page and are drawn on canvas.
//
// script.py joins this module and all that it imports into one script, without dependency or network request. It is
// used twice:
// - inlined in a page it defines <aelib-explorer> (page.py);
// - in a live kernel its default export is the front end of an anywidget (widget.py).

import { define } from "./element.js";
import { render } from "./widget.js";

if (globalThis.customElements) define();

export default { render };
