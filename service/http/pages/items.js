// Cards of items, as the grids of all pages show them.
import { show } from "./api.js";
import { bar, chips, make, percent } from "./dom.js";

const THUMBNAIL = 512; // pixels of the longer side

/**
 * A card. `words`: what its cluster says. `best`: the log-probability that the bar is drawn against.
 * `why`, `similar`: what the buttons do, each left out if absent.
 */
export function card(item, words, { why, similar, best } = {}) {
  const found = item.rank !== undefined;
  const buttons = [
    why && make("button", { type: "button", class: "plain", onclick: why, "aria-label": `Why this result: ${name(item)}` }, "Why?"),
    similar && make("button", { type: "button", class: "plain", onclick: similar }, item.image ? "Its texts" : "Its pictures"),
  ].filter(Boolean);
  return make(
    "article",
    { class: "item card", tabindex: "0", "aria-label": found ? `${item.rank}. ${name(item)}` : name(item) },
    content(item),
    make(
      "div",
      { class: "about" },
      chips(item.identifier, words),
      found ? measures(item, best) : null,
      make("div", { class: "row foot small" }, found ? place(item) : make("span", { class: "quiet" }, item.id), make("span", {}, buttons)),
    ),
  );
}

/** The picture or the text of an item. */
export function content(item, kind = "picture") {
  if (!item.image) return make("blockquote", {}, item.text);
  const image = make("img", { class: kind, alt: name(item), loading: "lazy", decoding: "async" });
  return show(image, `${item.image}?size=${THUMBNAIL}`);
}

/** What an item is called where it cannot be seen. */
export const name = (item) => item.text ?? `Picture: ${item.identifier.keywords.join(" ")}`;

function measures(item, best) {
  const rows = [];
  if (item.logprob !== null) {
    rows.push(measure("Probability", Math.exp(item.logprob - best), percent(Math.exp(item.logprob))));
  }
  if (item.cosine !== null) {
    rows.push(measure("Cosine", Math.max(0, item.cosine), item.cosine.toFixed(2), "guide"));
  }
  if (item.verification !== null) {
    rows.push(measure("Verification", item.verification, percent(item.verification), "good"));
  }
  return rows;
}

function measure(title, share, told, kind) {
  return make("div", { class: "measure" }, make("span", {}, title), bar(share, kind), make("span", { class: "number" }, told));
}

function place(item) {
  const moved = item.beam_rank - item.rank;
  const told = moved === 0 ? `${item.rank}` : `${item.rank} ${moved > 0 ? "▲" : "▼"} from ${item.beam_rank}`;
  const kind = moved > 0 ? "up" : moved < 0 ? "down" : "";
  return make("span", { class: `rank ${kind}`, title: "Place now, and before verification" }, told);
}
