// Brings a part of the page to what the server has rendered anew, changing only what differs:
// focus, selection, scrolling and open details stay as they are. Knows nothing of the page.

/** Make `target`'s children those of `html`, which the server has escaped. */
export function morphInto(target, html) {
  const parsed = new DOMParser().parseFromString(`<body>${html}</body>`, "text/html");
  morphChildren(target, parsed.body);
}

function morphChildren(target, wanted) {
  const keyed = new Map();
  for (const child of target.children) {
    if (child.dataset?.key) keyed.set(child.dataset.key, child);
  }
  let here = target.firstChild;
  for (const want of [...wanted.childNodes]) {
    const key = want.dataset?.key;
    const match = key ? keyed.get(key) : here;
    if (match && isSameKind(match, want)) {
      if (match === here) here = here.nextSibling;
      else target.insertBefore(match, here);
      morphNode(match, want);
      keyed.delete(key);
    } else {
      const fresh = document.importNode(want, true);
      if (key) fresh.classList.add("arrived");
      target.insertBefore(fresh, here);
    }
  }
  while (here) {
    const gone = here;
    here = here.nextSibling;
    gone.remove();
  }
}

function isSameKind(node, want) {
  return (
    node.nodeType === want.nodeType &&
    node.nodeName === want.nodeName &&
    node.dataset?.key === want.dataset?.key
  );
}

function morphNode(node, want) {
  if (node.nodeType !== Node.ELEMENT_NODE) {
    if (node.nodeValue !== want.nodeValue) node.nodeValue = want.nodeValue;
    return;
  }
  morphAttributes(node, want);
  morphChildren(node, want);
}

function morphAttributes(node, want) {
  for (const { name, value } of want.attributes) {
    if (node.getAttribute(name) !== value) node.setAttribute(name, value);
  }
  for (const { name } of [...node.attributes]) {
    const isReaders = name === "open" && node.nodeName === "DETAILS"; // opened by the reader
    if (!want.hasAttribute(name) && !isReaders) node.removeAttribute(name);
  }
}
