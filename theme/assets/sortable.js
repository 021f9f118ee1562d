// Lets the reader sort a table: each header becomes a button, which sorts upwards, then downwards, then puts the rows
// back as the page has them. Cells without a value, the dashes, stay last. Without JavaScript the table stands as it is.

const NEXT = { none: "ascending", ascending: "descending", descending: "none" };

const words = new Intl.Collator(document.documentElement.lang || "en", { numeric: true });

/** The value of a row's cell, or undefined for a dash. Columns of numbers are marked by the page. */
function valueOf(row, column) {
  const cell = row.cells[column];
  const { by } = cell.dataset;
  return by !== undefined && cell.classList.contains("number") ? Number(by) : by;
}

function compare(a, b) {
  return typeof a === "number" ? a - b : words.compare(a, b);
}

function sorted(rows, column, order) {
  if (order === "none") return rows;
  const sign = order === "ascending" ? 1 : -1;
  const pairs = rows.map((row) => [valueOf(row, column), row]);
  pairs.sort(([a], [b]) => {
    if (a === undefined || b === undefined) return (a === undefined) - (b === undefined);
    return sign * compare(a, b);
  });
  return pairs.map(([, row]) => row);
}

function makeSortable(table) {
  const heads = [...table.tHead.rows[0].cells];
  const [body] = table.tBodies;
  const rows = [...body.rows];
  for (const [column, head] of heads.entries()) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const order = NEXT[head.getAttribute("aria-sort") ?? "none"];
      for (const other of heads) other.removeAttribute("aria-sort");
      if (order !== "none") head.setAttribute("aria-sort", order);
      body.append(...sorted(rows, column, order));
    });
  }
}

for (const table of document.querySelectorAll("table[data-sortable]")) makeSortable(table);
