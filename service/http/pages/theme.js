// The theme, set before the page is painted: the system's, unless it was chosen here before.
const theme = {
  get() {
    const chosen = localStorage.getItem("semcore-theme");
    return chosen ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  },
  show() {
    const dark = this.get() === "dark";
    document.documentElement.dataset.theme = dark ? "dark" : "light";
    document.getElementById("theme")?.setAttribute("aria-pressed", String(dark));
  },
};
theme.show();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => theme.show());
addEventListener("DOMContentLoaded", () => {
  theme.show();
  document.getElementById("theme").addEventListener("click", () => {
    localStorage.setItem("semcore-theme", theme.get() === "dark" ? "light" : "dark");
    theme.show();
  });
  const here = document.querySelector(`script[type="module"]`).src.match(/(\w+)\.js$/)[1];
  document.querySelector(`[data-page="${here}"]`)?.setAttribute("aria-current", "page");
});
