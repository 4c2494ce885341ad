// Which groups of the menu somebody keeps open: theirs on this machine, not worth a word to the server.
const KEPT = "gatehouse.folds";

export function rememberFolds(groups) {
  const kept = new Set(JSON.parse(localStorage.getItem(KEPT) ?? "[]"));
  for (const group of groups) {
    if (kept.has(group.dataset.fold)) group.open = true;
    // A press, not every opening: the group of the page being read opens by itself.
    group.querySelector("summary").addEventListener("click", () => {
      kept[group.open ? "delete" : "add"](group.dataset.fold);
      localStorage.setItem(KEPT, JSON.stringify([...kept]));
    });
  }
}
