// Light or dark, before anything is shown: what the reader chose last, else what the system is set to.
(() => {
  let chosen = null;
  try { chosen = localStorage.getItem("lth-theme"); } catch { /* a page from a file may not be allowed to remember */ }
  const system = matchMedia("(prefers-color-scheme: dark)");
  const root = document.documentElement;
  const follow = () => { root.dataset.theme = system.matches ? "dark" : "light"; };
  if (chosen === "dark" || chosen === "light") root.dataset.theme = chosen; else follow();
  system.addEventListener("change", () => {
    if (root.dataset.chosen) return;
    follow();
    document.dispatchEvent(new Event("lth-theme"));
  });
  if (chosen) root.dataset.chosen = "yes";
})();
