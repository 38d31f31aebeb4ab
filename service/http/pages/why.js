// Why this result: how its identifier was spelled, what it beat, and what verification made of it.
import { bar, chips, make, percent } from "./dom.js";
import { content } from "./items.js";

/** Fill the dialog with one item and open it. `clusters`: what each cluster says, by Global ID. */
export function explain(dialog, item, clusters) {
  const close = make("button", { type: "button", onclick: () => dialog.close() }, "Close");
  dialog.replaceChildren(
    make(
      "div",
      { class: "inside" },
      make("div", { class: "row top" }, make("h2", { id: "why-title" }, "Why this result"), close),
      content(item, "shown"),
      chips(item.identifier, clusters.get(item.identifier.global_id)),
      make("p", {}, summary(item)),
      ...path(item, clusters),
      ...verification(item),
    ),
  );
  dialog.showModal();
}

/** How the beams spelled its identifier; nothing where they did not. */
function path(item, clusters) {
  if (!item.path.length) return [];
  return [
    make("h3", {}, "The path through the trie"),
    make("p", { class: "quiet small" }, "Each token with its probability after the query and the tokens before; below it, what the trie would have allowed in its place."),
    make("ol", { class: "path" }, item.path.map((one) => step(one, clusters))),
  ];
}

function step(one, clusters) {
  const share = Math.exp(one.logprob);
  const beaten = one.beaten.map((other) => `${shown(other.text, clusters)} ${percent(Math.exp(other.logprob))}`);
  return make(
    "li",
    {},
    make("span", { class: "token" }, shown(one.text, clusters)),
    bar(share, one.text.startsWith("<g") ? "cluster" : ""),
    make("span", { class: "number" }, percent(share)),
    make("span", { class: "beaten" }, beaten.length ? `beside ${beaten.join(" · ")}` : "nothing else exists here"),
  );
}

function verification(item) {
  if (item.verification === null) {
    return item.path.length ? [make("p", { class: "quiet" }, "The model was not asked to verify this one.")] : [];
  }
  const yes = item.odds === null ? ""
    : `Asked whether it matches, the model says yes with ${percent(1 / (1 + Math.exp(-item.odds)))}. `;
  const told = item.description === null ? ""
    : `The picture makes the text ${likelier(item.description)}. `;
  return [
    make("h3", {}, "Verification"),
    make("p", {}, `${yes}${told}Together with ${item.cosine === null ? "the probability of the identifier" : "what was found before"} that makes `
      + `${percent(item.verification)} of being the best of the candidates.`),
  ];
}

/** By how much, of a difference of log-probabilities. */
function likelier(nats) {
  const times = Math.exp(Math.abs(nats));
  return `${times < 10 ? times.toFixed(1) : Math.round(times).toLocaleString("en")} times ${nats < 0 ? "less likely" : "likelier"}`;
}

function summary(item) {
  const places = item.verification === null || item.rank === item.beam_rank
    ? `It is in place ${item.rank}.`
    : `It was in place ${item.beam_rank} before verification and is in place ${item.rank} after it.`;
  return [places, spelled(item), guide(item)].filter(Boolean).join(" ");
}

function spelled(item) {
  if (item.logprob === null) return "";
  const common = item.commonness === null ? "" : ` Without any query the identifier has ${percent(Math.exp(item.commonness))}, part of which is subtracted.`;
  return `The query gives its identifier ${percent(Math.exp(item.logprob))}, the product of ${item.path.length} tokens.${common}`;
}

function guide(item) {
  if (item.cosine === null) return "";
  const alone = item.logprob === null ? " The guide has found it; its identifier was not spelled." : "";
  return `The cosine between the guide's vectors of query and item is ${item.cosine.toFixed(2)}.${alone}`;
}

/** A token as people read it: a cluster by its first words. */
function shown(text, clusters) {
  if (text === "") return "(end)";
  const words = clusters.get(Number(text.slice(2, -1)));
  return text.startsWith("<g") && words?.length ? `${text} ${words.slice(0, 2).join(" ")}` : text.trim();
}
