// A classic script, which the browser runs before the first paint: a module would run after it.
(() => {
  try {
    const theme = localStorage.getItem("theme");
    if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  } catch {
    // Storage is forbidden in this browser: the system's theme holds.
  }
})();
