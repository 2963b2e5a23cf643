// A second click on a button, while the answer to the first is on its way, sends nothing. The server takes a form once
// in any case; this spares the second request.
const PATIENCE = 5_000;  // milliseconds: whoever stops the browser from loading can send the form again

export function once(root) {
  const sent = new Set();
  root.addEventListener("submit", (event) => {
    if (event.defaultPrevented || event.target.method !== "post") return;
    if (sent.has(event.target)) event.preventDefault();
    sent.add(event.target);
    setTimeout(() => sent.delete(event.target), PATIENCE);
  });
  addEventListener("pageshow", () => sent.clear());
}
