// Elements of the page, made from data; text is always text, never markup.

/** An element with attributes and children; `on…` attributes are listeners, empty ones left out. */
export function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value === true ? "" : String(value));
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

/** A bar filled to a share from 0 to 1. */
export function bar(share, kind = "") {
  const filled = make("span");
  filled.style.width = `${100 * Math.min(1, Math.max(0, share))}%`;
  return make("span", { class: `bar ${kind}`, "aria-hidden": "true" }, filled);
}

const NO_BREAK = "\u00a0";
const COARSE = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 2 });

/** A probability: "12 %", "0.3 %", and where it is small "1 in 48K". */
export function percent(share) {
  const value = 100 * share;
  if (value >= 9.95) return `${value.toFixed(0)}${NO_BREAK}%`;
  if (value >= 0.1) return `${value.toFixed(1)}${NO_BREAK}%`;
  return share < 1e-12 ? `about${NO_BREAK}0` : `1${NO_BREAK}in${NO_BREAK}${COARSE.format(1 / share)}`;
}

/** An identifier as chips: its cluster with what it says, then its words. */
export function chips(identifier, words = []) {
  const cluster = identifier.global_id;
  const told = words.length ? words.slice(0, 3).join(" ") : `cluster ${cluster}`;
  return make(
    "ul",
    { class: "chips", "aria-label": `Identifier ${identifier.text}` },
    cluster === null
      ? null
      : make("li", { class: "chip cluster", title: `Global ID ${cluster}: ${words.join(", ")}` }, told),
    identifier.keywords.map((word) => make("li", { class: "chip" }, word)),
  );
}

/** A number with thousands set apart. */
export function count(number, one, many = `${one}s`) {
  return `${number.toLocaleString("en")} ${number === 1 ? one : many}`;
}

/** Show one sentence in a notice, or hide it. */
export function notify(element, kind, ...content) {
  element.hidden = content.length === 0;
  element.className = `notice ${kind}`;
  element.replaceChildren(...content);
}
