// Buttons that copy a text beside them. They are hidden without this script.
export function copying(root) {
  for (const one of root.querySelectorAll("[data-copy]")) {
    const button = one.querySelector("button");
    if (!button || !navigator.clipboard) continue;
    const text = button.textContent;
    button.hidden = false;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(document.getElementById(one.dataset.copy).textContent);
      button.textContent = one.dataset.done;
      setTimeout(() => { button.textContent = text; }, 2000);
    });
  }
}
