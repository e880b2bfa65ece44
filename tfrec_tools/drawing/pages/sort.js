// A table of the class "sortable" is sorted by the column whose header is pressed; rows of means stay last.
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells], body = table.tBodies[0];
  const value = (row, at) => row.cells[at].textContent.trim();
  const number = text => text === "" ? NaN : Number(text.split(" (")[0].replace(/[,%]/g, ""));  // an interval may follow
  function compare(one, other, at, down) {
    const a = value(one, at), b = value(other, at), x = number(a), y = number(b);
    if (isNaN(x) !== isNaN(y)) return isNaN(x) ? 1 : -1;
    return (isNaN(x) ? a.localeCompare(b) : x - y) * (down ? -1 : 1);
  }
  heads.forEach((head, at) => {
    const button = document.createElement("button");
    button.append(...head.childNodes);
    head.append(button);
    button.onclick = () => {
      const down = head.getAttribute("aria-sort") !== "descending";
      for (const each of heads) each.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const rows = [...body.rows], means = rows.filter(row => row.classList.contains("mean"));
      const others = rows.filter(row => !row.classList.contains("mean"));
      body.append(...others.sort((one, other) => compare(one, other, at, down)), ...means);
    };
  });
}
