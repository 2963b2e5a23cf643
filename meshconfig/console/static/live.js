// Live parts: an element with `data-live="URL"` names a stream of events; each has new HTML for elements by their ids.
// The server has escaped it. A browser keeps six connections to a host, so that hidden pages close theirs.
import { renew, touch } from "./renew.js";
import { localTimes } from "./time.js";

export function live(root) {
  root.addEventListener("input", (event) => touch(event.target.form));
  for (const one of root.querySelectorAll("[data-live]")) follow(one.dataset.live);
}

const PATIENCE = 10_000;  // milliseconds without a connection, after which the page says so

function follow(url) {
  let source = null, patience = 0;
  const close = () => { clearTimeout(patience); patience = 0; source?.close(); source = null; };
  const open = () => {
    if (source || document.hidden) return;
    source = new EventSource(url);
    source.addEventListener("open", () => { clearTimeout(patience); patience = 0; say(""); });
    source.addEventListener("parts", (event) => {
      say("");
      for (const [id, html] of Object.entries(JSON.parse(event.data))) replace(id, html);
    });
    source.addEventListener("trouble", (event) => say(JSON.parse(event.data).message));
    source.addEventListener("error", () => {
      const { dataset } = document.getElementById("trouble");
      if (source?.readyState === EventSource.CLOSED) { close(); say(dataset.closed); }
      else patience ||= setTimeout(() => say(dataset.lost), PATIENCE);  // meanwhile the browser tries again by itself
    });
    source.addEventListener("end", () => { close(); document.removeEventListener("visibilitychange", change); });
  };
  const change = () => {
    if (document.hidden) close();
    else open();
  };
  document.addEventListener("visibilitychange", change);
  open();
}

function replace(id, html) {
  const place = document.getElementById(id);
  if (!place) return;
  const fresh = document.createElement("template");
  fresh.innerHTML = html;
  renew(place, fresh.content);
  place.removeAttribute("aria-busy");
  localTimes(place);
}

function say(message) {
  const place = document.getElementById("trouble");
  if (place.textContent === message) return;  // screen readers say it once
  place.textContent = message;
  place.hidden = !message;
}
