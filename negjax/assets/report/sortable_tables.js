"use strict";
// Tables that sort by a click on a heading: descending, ascending, then the original order. Rows without a figure stay
// below.
(() => {
  const NEXT_ORDER = { "": "descending", descending: "ascending", ascending: "" };

  for (const table of document.querySelectorAll("table.sortable")) {
    const body = table.tBodies[0];
    const originalRows = [...body.rows];
    const headings = [...table.tHead.rows[0].cells];
    headings.forEach((heading, column) => heading.querySelector("button")?.addEventListener("click", () => {
      const order = NEXT_ORDER[heading.getAttribute("aria-sort") ?? ""];
      headings.forEach((other) => other.removeAttribute("aria-sort"));
      if (order) heading.setAttribute("aria-sort", order);
      body.append(...(order ? sortRows(originalRows, column, order) : originalRows));
    }));
  }

  function sortRows(rows, column, order) {
    const figure = (row) => parseFloat(row.cells[column].dataset.value ?? "NaN");
    const hasFigure = (row) => !Number.isNaN(figure(row));
    const sign = order === "ascending" ? 1 : -1;
    const sorted = rows.filter(hasFigure).sort((a, b) => sign * (figure(a) - figure(b)));
    return [...sorted, ...rows.filter((row) => !hasFigure(row))];
  }
})();
