// The tree of identifiers, from clusters down to items.
import { ask, clusterWords } from "./api.js";
import { bar, count, make, notify } from "./dom.js";
import { card } from "./items.js";

const at = (id) => document.getElementById(id);
const kinds = [...document.querySelectorAll("[data-kind]")];

for (const button of kinds) button.addEventListener("click", () => go(button.dataset.kind, ""));
at("find").addEventListener("change", () => go(place().kind, at("find").value.trim()));
addEventListener("hashchange", render);
render();

function place() {
  const told = new URLSearchParams(location.hash.slice(1));
  return { kind: told.get("kind") === "text" ? "text" : "image", beginning: told.get("at") ?? "" };
}

function go(kind, beginning) {
  location.hash = new URLSearchParams({ kind, at: beginning });
}

async function render() {
  const { kind, beginning } = place();
  for (const button of kinds) button.setAttribute("aria-pressed", String(button.dataset.kind === kind));
  try {
    const [tree, words] = await Promise.all([
      ask(`/identifiers?${new URLSearchParams({ kind, beginning })}`), clusterWords(kind),
    ]);
    if (place().kind !== kind || place().beginning !== beginning) return;
    draw(tree, words);
  } catch (error) {
    for (const id of ["crumbs", "branches", "grid"]) at(id).replaceChildren();
    at("shared").hidden = true;
    at("below-title").textContent = "";
    notify(at("notice"), "bad", make("span", { role: "alert" }, error.message));
  }
}

function draw(tree, words) {
  const { kind, identifier, branches } = tree;
  notify(at("notice"), "", ...(tree.count ? [] : [`No identifier begins with “${identifier}”; go back to the clusters.`]));
  at("crumbs").replaceChildren(...crumbs(kind, identifier, words));
  const largest = Math.max(1, ...branches.map((branch) => branch.items));
  at("branches").replaceChildren(...branches.map((branch) => make("li", {}, tile(kind, branch, largest))));
  [...at("branches").children].forEach((tile, place) => { tile.style.flexGrow = Math.sqrt(branches[place].items); });
  if (tree.more_branches) at("branches").append(make("li", { class: "quiet" }, `and ${count(tree.more_branches, "smaller branch", "smaller branches")}`));
  at("shared").hidden = tree.shared.length === 0;
  at("shared-list").replaceChildren(...tree.shared.map((one) => make("li", {}, make("button", { type: "button", onclick: () => go(kind, one.identifier) }, `${one.identifier} · ${one.items}`))));
  const title = count(tree.count, kind === "image" ? "picture" : "text");
  const collides = branches.length === 0 && tree.count > 1;
  at("below-title").textContent = tree.items.length < tree.count ? `The first ${tree.items.length} of ${title}` : collides ? `${title}, which share this identifier` : title;
  at("grid").classList.toggle("texts", kind === "text");
  at("grid").replaceChildren(...tree.items.map((item) => make("li", {}, card(item, words.get(item.identifier.global_id)))));
  at("status").textContent = `${count(branches.length, "branch", "branches")}, ${title}`;
}

function tile(kind, branch, largest) {
  const part = branch.identifier.split(" ").at(-1);
  const told = branch.words.length ? branch.words.slice(0, 4).join(" ") : part;
  return make(
    "button",
    { type: "button", class: `branch card ${branch.odd ? "odd" : ""}`, onclick: () => go(kind, branch.identifier) },
    make("span", { class: "top" }, make("span", {}, told), make("span", {}, branch.items.toLocaleString("en"))),
    branch.words.length ? make("span", { class: "quiet small" }, part) : null,
    bar(branch.items / largest, branch.words.length ? "cluster" : ""),
    branch.odd ? make("span", { class: "flag" }, "odd size") : null,
  );
}

function crumbs(kind, identifier, words) {
  const parts = identifier ? identifier.split(" ") : [];
  const links = [["All", ""], ...parts.map((part, place) => [label(part, words), parts.slice(0, place + 1).join(" ")])];
  return links.map(([title, where], place) => make("li", {}, place === links.length - 1
    ? make("strong", { "aria-current": "location" }, title)
    : make("a", { href: `#${new URLSearchParams({ kind, at: where })}` }, title)));
}

function label(part, words) {
  const told = part.startsWith("<g") ? (words.get(Number(part.slice(2, -1))) ?? []) : [];
  return told.length ? `${part} ${told.slice(0, 2).join(" ")}` : part;
}
