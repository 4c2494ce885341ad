// A field of a frame and its bytes belong together: pointing at either, in the picture or in the table,
// lights both. Touch and keyboard do the same by focus.

export function lightFrames(page) {
  for (const kind of ["pointerover", "focusin"]) {
    page.addEventListener(kind, (event) => light(event.target.closest?.("[data-field]") ?? null));
  }
}

function light(field) {
  for (const lit of document.querySelectorAll(".lit")) lit.classList.remove("lit");
  if (!field) return;
  const frame = field.closest("section, .card");
  for (const same of frame.querySelectorAll(`[data-field="${CSS.escape(field.dataset.field)}"]`)) {
    same.classList.add("lit");
  }
}
