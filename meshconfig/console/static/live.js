// Live parts: an element with `data-live="URL"` names a stream of events; each has new HTML for elements by their ids.
// The server has escaped it. A browser keeps six connections to a host, so that hidden pages close theirs.
import { localTimes } from "./time.js";

const touched = new WeakSet();  // fields in which somebody has typed or chosen something

export function live(root) {
  root.addEventListener("input", (event) => touched.add(event.target));
  for (const one of root.querySelectorAll("[data-live]")) follow(one.dataset.live);
}

function follow(url) {
  let source = null;
  const open = () => {
    if (source || document.hidden) return;
    source = new EventSource(url);
    source.addEventListener("parts", (event) => {
      say("");
      for (const [id, html] of Object.entries(JSON.parse(event.data))) replace(id, html);
    });
    source.addEventListener("trouble", (event) => say(JSON.parse(event.data).message));
    source.addEventListener("error", () => {
      if (source?.readyState !== EventSource.CLOSED) return;  // else the browser tries again by itself
      source = null;
      say(document.getElementById("trouble").dataset.closed);
    });
    source.addEventListener("end", () => { source.close(); document.removeEventListener("visibilitychange", change); });
  };
  const change = () => {
    if (document.hidden && source) { source.close(); source = null; } else open();
  };
  document.addEventListener("visibilitychange", change);
  open();
}

// Focus, what is folded open, and what somebody has typed or chosen stay as they are.
function replace(id, html) {
  const place = document.getElementById(id);
  if (!place) return;
  const focused = place.contains(document.activeElement) ? document.activeElement.id : "";
  const opened = [...place.querySelectorAll("details[open][id]")].map((one) => one.id);
  const fresh = document.createElement("template");
  fresh.innerHTML = html;
  for (const field of place.querySelectorAll("[id]")) {
    if (touched.has(field)) fresh.content.getElementById(field.id)?.replaceWith(field);
  }
  place.replaceChildren(fresh.content);
  place.removeAttribute("aria-busy");
  for (const name of opened) document.getElementById(name)?.setAttribute("open", "");
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
  localTimes(place);
}

function say(message) {
  const place = document.getElementById("trouble");
  place.textContent = message;
  place.hidden = !message;
}
