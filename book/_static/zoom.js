// A figure that is shown smaller than it was made opens at its full size: by the button beside its caption, or by a
// click on the picture. It closes by Escape, by its button, and by a click beside the picture.
(() => {
  const ENLARGE = 'M9 3H3v6m12-6h6v6M9 21H3v-6m12 6h6v-6';
  const CLOSE = 'M5 5l14 14M19 5L5 19';
  const icon = (path) => `<svg viewBox="0 0 24 24" aria-hidden="true"><path d="${path}"/></svg>`;

  function button(label, path, onclick) {
    const made = document.createElement('button');
    made.type = 'button';
    made.className = 'zoom-button';
    made.setAttribute('aria-label', label);
    made.innerHTML = icon(path);
    made.onclick = onclick;
    return made;
  }

  function open(image, name) {
    const dialog = document.createElement('dialog');
    dialog.className = 'zoom';
    dialog.setAttribute('aria-label', `${name}, full size`);
    const whole = document.createElement('img');
    Object.assign(whole, { src: image.currentSrc || image.src, alt: image.alt, width: image.naturalWidth });
    const ground = document.createElement('div'); // scrolls, also by the arrow keys
    ground.tabIndex = 0;
    ground.setAttribute('role', 'group');
    ground.setAttribute('aria-label', name);
    ground.append(whole);
    dialog.append(ground, button('Close', CLOSE, () => dialog.close()));
    dialog.onclick = (event) => event.target === whole || event.target.closest('button') || dialog.close();
    dialog.onkeydown = (event) => event.stopPropagation(); // the theme's search takes Escape for itself
    dialog.onclose = () => dialog.remove(); // the browser gives the focus back
    document.body.append(dialog);
    dialog.showModal();
    ground.focus();
  }

  function prepare(image) {
    const caption = image.closest('figure')?.querySelector('figcaption');
    const name = caption?.querySelector('.caption-number')?.textContent.trim() || 'Picture';
    const enlarge = button(`Enlarge ${name}`, ENLARGE, () => open(image, name));
    if (caption) (caption.querySelector('p') || caption).prepend(enlarge); // on the caption's first line
    else image.after(enlarge);
    image.addEventListener('click', () => enlarge.hidden || open(image, name));
    const look = () => {
      enlarge.hidden = image.naturalWidth <= 1.05 * image.clientWidth;
      image.classList.toggle('smaller', !enlarge.hidden);
    };
    image.addEventListener('load', look);
    new ResizeObserver(look).observe(image);
  }

  addEventListener('DOMContentLoaded', () => {
    for (const image of document.querySelectorAll('.cell_output img, article figure img')) {
      if (!image.closest('a, button, aelib-explorer')) prepare(image);
    }
  });
})();
