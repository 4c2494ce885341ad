// A notice of success goes after eight seconds, unless somebody is reading or about to press it.

const SHOWN_MS = 8000;

export function showNotices(page) {
  for (const notice of page.querySelectorAll(".toast:not([data-shown])")) {
    notice.dataset.shown = "";
    let leftMs = SHOWN_MS;
    setInterval(() => {
      if (notice.matches(":hover, :focus-within")) return;
      leftMs -= 250;
      if (leftMs <= 0) notice.remove();
    }, 250);
  }
}
