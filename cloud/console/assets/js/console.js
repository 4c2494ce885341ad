// What every page loads: htmx, live updates and a few conveniences. No page needs any of it to work.
import "htmx.org";
import { lightFrames } from "./frames.js";
import { watch } from "./guard.js";
import { connect } from "./live.js";
import { rememberFolds } from "./folds.js";
import { listenForKeys } from "./keys.js";
import { showNotices } from "./notices.js";
import { letSign } from "./signature.js";

if (document.querySelector("link[rel=manifest]")) navigator.serviceWorker?.register("/service-worker.js");
connect(document.querySelector("[data-live]"));
lightFrames(document);
letSign(document);
rememberFolds(document.querySelectorAll("[data-fold]"));
listenForKeys(document);
watch(document.querySelector("[data-guard]"));
showNotices(document);
document.addEventListener("htmx:after:swap", () => showNotices(document));
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-print]");
  if (button) window.print();
});
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  await navigator.clipboard.writeText(button.dataset.copy);
  button.textContent = button.dataset.copied;
});
