"use strict";
(() => {
  const table = document.getElementById("classes");
  document.documentElement.classList.add("js");
  if (!table) return;
  const body = table.tBodies[0];
  const heads = [...table.tHead.rows[0].cells];

  const value = (row, column, kind) => {
    const cell = row.cells[column];
    return kind === "number" ? Number(cell.dataset.value) : cell.textContent.trim().toLowerCase();
  };
  const sort = (column) => {
    const head = heads[column];
    const kind = head.dataset.sort;
    const now = head.getAttribute("aria-sort");
    const up = now ? now === "descending" : kind === "text";
    const rows = [...body.rows].sort((one, other) => {
      const [a, b] = [value(one, column, kind), value(other, column, kind)];
      return (a < b ? -1 : a > b ? 1 : 0) * (up ? 1 : -1);
    });
    heads.forEach((other) => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    body.append(...rows);
  };
  heads.forEach((head, column) => {
    head.tabIndex = 0;
    head.addEventListener("click", () => sort(column));
    head.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") { event.preventDefault(); sort(column); }
    });
  });
  document.getElementById("class-filter").addEventListener("input", (event) => {
    const wanted = event.target.value.trim().toLowerCase();
    for (const row of body.rows) {
      row.hidden = !row.cells[0].textContent.toLowerCase().includes(wanted);
    }
  });
})();
