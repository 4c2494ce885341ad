// One event stream a tab, the API's own. A message says what kind of thing changed; the parts of the page
// that show it listen for `live-<kind>` on the body and fetch themselves anew (hx-trigger), in the reader's
// language. The server beats every 15 s, so 30 s of silence means we are cut off, and the page says so.

const SILENCE_MS = 30_000;
const KINDS = ["alarm", "command", "event", "gateway", "invoice", "readings", "repair", "running_charge"];

export function connect(indicator) {
  if (!indicator) return;
  const state = { source: null, heardAt: Date.now(), wasCut: false };

  const open = () => {
    state.source = new EventSource(indicator.dataset.live);
    state.source.addEventListener("beat", heard);
    state.source.addEventListener("reload", () => KINDS.forEach(announce));
    state.source.addEventListener("signed_out", () => window.location.reload());
    for (const kind of KINDS) {
      state.source.addEventListener(kind, () => {
        heard();
        announce(kind);
      });
    }
    state.source.addEventListener("open", () => {
      heard();
      // A new stream after a pause: what was missed is fetched once.
      if (state.wasCut) KINDS.forEach(announce);
      state.wasCut = false;
    });
    state.source.addEventListener("error", () => (state.wasCut = true));
  };
  const heard = () => {
    state.heardAt = Date.now();
    show(indicator, state.heardAt);
  };

  open();
  setInterval(() => show(indicator, state.heardAt), 1000);
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      state.source.close();
      state.wasCut = true;
    } else if (state.source.readyState === EventSource.CLOSED) {
      open();
    }
  });
  window.addEventListener("pagehide", () => state.source.close());
}

function announce(kind) {
  document.body.dispatchEvent(new CustomEvent(`live-${kind}`));
}

function show(indicator, heardAt) {
  const silentMs = Date.now() - heardAt;
  const isStale = silentMs > SILENCE_MS;
  indicator.classList.toggle("stale", isStale);
  document.documentElement.classList.toggle("offline", isStale);
  const bar = document.getElementById("offline");
  if (bar) bar.hidden = !isStale;
  const words = indicator.dataset;
  const at = new Date(heardAt);
  const clock = `${String(at.getHours()).padStart(2, "0")}:${String(at.getMinutes()).padStart(2, "0")}`;
  if (isStale) indicator.textContent = words.stale.replace("{}", clock);
  else if (silentMs < 2000) indicator.textContent = words.now;
  else indicator.textContent = words.ago.replace("{}", Math.floor(silentMs / 1000));
  if (bar && isStale) {
    const text = bar.querySelector("b");
    text.textContent = text.dataset.text.replace("{}", Math.max(1, Math.round(silentMs / 60_000)));
    bar.querySelector("span[data-text]").textContent = bar
      .querySelector("span[data-text]")
      .dataset.text.replace("{}", clock);
  }
}
