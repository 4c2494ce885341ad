// A signature drawn with a finger, a pen or a mouse: strokes as an SVG path in a hidden field.
const WIDTH = 600;
const HEIGHT = 200;
const LENGTH_MAX = 12000; // as the server keeps; a longer one is a drawing

export function letSign(root) {
  for (const pad of root.querySelectorAll("[data-signature]")) prepare(pad);
}

function prepare(pad) {
  const svg = pad.querySelector("svg");
  const path = pad.querySelector("path");
  const field = pad.querySelector("input");
  const clear = pad.parentElement.querySelector("[data-signature-clear]");
  let isDown = false;
  const draw = (command, event) => {
    const box = svg.getBoundingClientRect();
    const x = Math.round(Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1) * WIDTH);
    const y = Math.round(Math.min(Math.max((event.clientY - box.top) / box.height, 0), 1) * HEIGHT);
    if (field.value.length < LENGTH_MAX - 20) field.value += `${command}${x} ${y}`;
    path.setAttribute("d", field.value);
  };
  path.setAttribute("d", field.value);
  svg.addEventListener("pointerdown", (event) => {
    isDown = true;
    svg.setPointerCapture(event.pointerId);
    draw("M", event);
    draw("L", event);
    event.preventDefault();
  });
  svg.addEventListener("pointermove", (event) => isDown && draw("L", event));
  for (const name of ["pointerup", "pointercancel"]) svg.addEventListener(name, () => (isDown = false));
  clear?.addEventListener("click", () => {
    field.value = "";
    path.removeAttribute("d");
  });
}
