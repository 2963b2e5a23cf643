// Gives an element new content, and keeps each node that the new content has again, known by its id or else its kind.
// So focus, scrolling, what is folded open and the composition of an input method stay as they are.
// A form in which somebody has typed stays whole: its hidden fields say what the person saw, and the server judges that.

const touched = new WeakSet();  // forms in which somebody has typed or chosen something

export function touch(form) {
  if (form) touched.add(form);
}

export function renew(place, fresh) {
  const partners = paired([...place.childNodes], [...fresh.childNodes]);
  const kept = new Set(partners.values());
  for (const old of [...place.childNodes]) {
    if (kept.has(old)) continue;
    const forms = heldIn(old);
    if (!forms.length) old.remove();
    for (const form of forms) tell(form, null);
  }
  let here = place.firstChild;
  for (const one of [...fresh.childNodes]) {
    const old = partners.get(one);
    if (!old) place.insertBefore(one, here);
    else {
      mend(old, one);
      here = old.nextSibling;
    }
  }
}

// New nodes and the old ones that become them: the longest row that both have in the same order. So no node is ever
// moved: that would take the focus from it, and end a composition.
function paired(olds, news) {
  const found = new Map(), pair = (i, j) => found.set(news[j], olds[i]);
  const a = olds.map(kind), b = news.map(kind);
  let start = 0, end = 0;
  const same = Math.min(a.length, b.length);
  while (start < same && a[start] === b[start]) pair(start, start++);
  while (end < same - start && a.at(-1 - end) === b.at(-1 - end)) pair(a.length - 1 - end, b.length - 1 - end++);
  const last = [a.length - end, b.length - end];
  const best = Array.from({ length: last[0] + 1 }, () => new Uint16Array(last[1] + 1));  // of what is left from (i, j) on
  for (let i = last[0] - 1; i >= start; i--) {
    for (let j = last[1] - 1; j >= start; j--) {
      best[i][j] = a[i] === b[j] ? best[i + 1][j + 1] + 1 : Math.max(best[i + 1][j], best[i][j + 1]);
    }
  }
  for (let i = start, j = start; i < last[0] && j < last[1];) {
    if (a[i] === b[j]) pair(i++, j++);
    else if (best[i + 1][j] >= best[i][j + 1]) i++;
    else j++;
  }
  return found;
}

// A browser restores a hidden field that a script has changed after a reload, so that another value is another field.
function kind(node) {
  if (node.id) return `#${node.id}`;
  if (node.name === "once") return "once";  // the page's own: a form that is sent twice has the same
  return node.type === "hidden" ? node.outerHTML : node.nodeName;
}

function mend(old, fresh) {
  if (!(old instanceof Element)) {
    if (old.nodeValue !== fresh.nodeValue) old.nodeValue = fresh.nodeValue;
    return;
  }
  if (old.name === "once") return;
  if (old instanceof HTMLFormElement && isHeld(old)) return tell(old, fresh);
  for (const { name } of [...old.attributes]) {
    if (name !== "open" && !fresh.hasAttribute(name)) old.removeAttribute(name);
  }
  for (const one of fresh.attributes) {
    if (old.getAttribute(one.name) !== one.value) old.setAttributeNode(one.cloneNode());
  }
  renew(old, fresh);
}

function heldIn(node) {
  if (!(node instanceof Element)) return [];
  const forms = [...node.querySelectorAll("form")];
  if (node instanceof HTMLFormElement) forms.push(node);
  return forms.filter(isHeld);
}

// Also where the browser has restored what was typed before.
function isHeld(form) {
  const typed = (one) => one.type !== "hidden" && one.defaultValue !== undefined && one.value !== one.defaultValue;
  return touched.has(form) || [...form.elements].some(typed);
}

// Shows the form's own line about it where what the person saw has gone on.
function tell(form, fresh) {
  const mark = (one) => one?.querySelector("[name=mark]")?.value;
  const line = form.querySelector("[data-gone-on]");
  if (line) line.hidden = mark(form) === mark(fresh);
}
