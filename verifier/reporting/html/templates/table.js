"use strict";
// Long tables: a heading sorts, a word filters, and fifty rows are a page. Without this script the
// tables are whole.
(() => {
  const SIZE = 50;

  const made = (tag, text, properties) =>
    Object.assign(document.createElement(tag), { textContent: text }, properties);

  const ranked = (row, column) => {
    const cell = row.cells[column];
    const text = (cell.querySelector(".all") ?? cell).textContent;
    const number = Number.parseFloat(text.replaceAll(",", ""));
    return Number.isNaN(number) ? { text } : { text, number };
  };

  const compared = (one, other) =>
    one.number !== undefined && other.number !== undefined
      ? one.number - other.number
      : one.text.localeCompare(other.text);

  const enhanced = (table) => {
    const body = table.tBodies[0];
    const all = [...body.rows];
    let rows = all;
    let page = 0;
    const words = made("input", "", { type: "search" });
    const previous = made("button", "Previous", { type: "button" });
    const next = made("button", "Next", { type: "button" });
    const place = made("output", "");
    const label = made("label", "Only rows with ");
    const tools = made("p", "", { className: "tools" });
    label.append(words);
    tools.append(label, previous, next, place);
    table.closest(".scroll").before(tools);

    const show = () => {
      const start = page * SIZE;
      const end = Math.min(start + SIZE, rows.length);
      for (const row of all) row.hidden = true;
      for (const row of rows.slice(start, end)) row.hidden = false;
      place.textContent = rows.length ? `${start + 1} to ${end} of ${rows.length}` : "no row";
      previous.disabled = page === 0;
      next.disabled = end === rows.length;
    };

    const turn = (steps) => {
      page += steps;
      show();
    };

    const filter = () => {
      const wanted = words.value.trim().toLowerCase();
      rows = all.filter((row) => row.textContent.toLowerCase().includes(wanted));
      turn(-page);
    };

    const sort = (column, heading) => {
      const way = heading.ariaSort === "ascending" ? -1 : 1;
      for (const other of table.tHead.rows[0].cells) other.ariaSort = null;
      heading.ariaSort = way === 1 ? "ascending" : "descending";
      all.sort((one, other) => way * compared(ranked(one, column), ranked(other, column)));
      body.append(...all);
      filter();
    };

    [...table.tHead.rows[0].cells].forEach((heading, column) => {
      const button = made("button", heading.textContent, { type: "button" });
      button.addEventListener("click", () => sort(column, heading));
      heading.replaceChildren(button);
    });
    previous.addEventListener("click", () => turn(-1));
    next.addEventListener("click", () => turn(1));
    words.addEventListener("input", filter);
    show();
  };

  document.querySelectorAll("details.folded table").forEach(enhanced);
})();
