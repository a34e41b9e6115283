// Filters and orders what a page lists; see book/_ext/book_filters.py. The page is whole without this.
document.addEventListener("DOMContentLoaded", () => {
  for (const form of document.querySelectorAll("form[data-filters]")) {
    const name = form.dataset.filters;
    const entries = [...document.querySelectorAll(`[data-entry="${name}"]`)];
    const groups = [...document.querySelectorAll(`[data-group="${name}"]`)];
    const listed = entries.filter((entry) => !entry.closest(".ledger-plot")); // a row of the plot is a row of a table
    const rows = entries.filter((entry) => entry.matches("tr"));
    const homes = new Map(rows.map((row) => [row, row.parentElement]));
    const lists = [...form.elements].filter((field) => field.matches("select:not([name=sort])"));
    const words = form.elements.words;
    const orders = {
      worst: (a, b) => a.dataset.gain - b.dataset.gain,
      best: (a, b) => b.dataset.gain - a.dataset.gain,
      model: (a, b) => a.dataset.model.localeCompare(b.dataset.model),
      data: (a, b) => a.dataset.data.localeCompare(b.dataset.data),
    };
    let flat = null; // one table of all rows, for the orders that mix the chapters

    const wanted = (entry) =>
      lists.every((list) => !list.value || entry.dataset[list.name] === list.value) &&
      (!words || words.value.toLowerCase().split(/\s+/).every((word) => entry.textContent.toLowerCase().includes(word)));

    const arrange = () => {
      const order = orders[form.elements.sort?.value];
      if (flat) flat.remove();
      flat = null;
      for (const [row, home] of homes) home.append(row);
      if (!order) return;
      const first = rows[0].closest("table");
      flat = document.createElement("div");
      flat.className = "wide flat";
      const table = flat.appendChild(first.cloneNode(false));
      table.setAttribute("aria-label", "Published numbers and ours, sorted");
      table.append(first.tHead.cloneNode(true));
      table.createTBody().append(...[...rows].sort(order));
      form.after(flat);
    };

    const update = () => {
      arrange();
      for (const entry of entries) entry.hidden = !wanted(entry);
      for (const group of groups) {
        group.hidden = !group.querySelector(`[data-entry="${name}"]:not([hidden])`);
      }
      const asIs = !flat && lists.every((list) => !list.value);
      for (const section of form.parentElement.querySelectorAll(':scope > section[id^="chapter-"]')) {
        section.hidden = !asIs && !section.querySelector("[data-entry]:not([hidden])");
      }
      const shown = listed.filter((entry) => !entry.hidden).length;
      form.querySelector("output").textContent = `${shown} of ${listed.length}`;
    };

    const asked = new URLSearchParams(location.search);
    for (const field of form.elements) if (field.name && asked.has(field.name)) field.value = asked.get(field.name);
    for (const kind of ["input", "change"]) form.addEventListener(kind, update);
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("reset", () => setTimeout(update));
    form.hidden = false;
    update();
    if (asked.size && location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
  }
});
