// Keys: Ctrl K or / finds, ? shows them all, g then a page's letter goes there, j and k move through
// the first list, Enter opens. None of them changes anything. The letters are the menu's own.

export function listenForKeys(page) {
  let isGoing = false;
  const finder = page.getElementById("finder");
  const sheet = page.getElementById("key-sheet");
  page.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
      event.preventDefault();
      sheet?.close();
      openFinder(finder);
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
    const entry = isGoing && /^[a-z]$/.test(event.key) && page.querySelector(`.side .nav[data-key="${event.key}"]`);
    isGoing = event.key === "g" && !isGoing;
    if (event.key === "/") {
      event.preventDefault();
      openFinder(finder);
    } else if (event.key === "?") {
      sheet?.showModal();
    } else if (entry) {
      window.location.assign(entry.href);
    } else if (event.key === "j" || event.key === "k") {
      move(page, event.key === "j" ? 1 : -1);
    }
  });
  page.addEventListener("click", (event) => {
    if (event.target.closest("[data-keys]")) sheet.showModal();
    if (!event.target.closest("[data-find]")) return;
    event.preventDefault();
    openFinder(finder);
  });
  for (const button of page.querySelectorAll("[data-keys]")) button.hidden = false;
  page.addEventListener("keydown", (event) => {
    if (!finder?.open || (event.key !== "ArrowDown" && event.key !== "ArrowUp")) return;
    event.preventDefault();
    const found = [finder.querySelector("input"), ...finder.querySelectorAll("a.nav")];
    const at = found.indexOf(page.activeElement) + (event.key === "ArrowDown" ? 1 : -1);
    found[(at + found.length) % found.length]?.focus();
  });
  // What answers an older word is not to be chosen by somebody who has typed on.
  page.addEventListener("input", (event) => {
    if (event.target.matches("#finder input")) page.getElementById("found").inert = true;
  });
  page.addEventListener("htmx:after:swap", (event) => {
    const input = event.target;
    if (!input.matches?.("#finder input")) return;
    const answers = new URL(event.detail.ctx.request.action, window.location).searchParams.get("q");
    page.getElementById("found").inert = answers !== input.value;
  });
}

function openFinder(finder) {
  if (!finder || finder.open) return;
  finder.showModal();
  finder.querySelector("input").select();
}

function isTyping(element) {
  return element.closest("input, textarea, select, [contenteditable], dialog[open]") !== null;
}

function move(page, step) {
  const rows = [...page.querySelectorAll("main .todo a.btn, main .tbl tbody td:first-child a, main .mlist a")];
  if (rows.length === 0) return;
  const at = rows.indexOf(page.activeElement);
  rows[Math.min(rows.length - 1, Math.max(0, at + step))].focus();
}
