// The search page: a text finds pictures, a picture finds texts.
import { ask, bytes, clusterWords, setKey } from "./api.js";
import { count, make, notify } from "./dom.js";
import { addCondition, readFilter } from "./filters.js";
import { card, name } from "./items.js";
import { showTimes } from "./times.js";
import { explain } from "./why.js";

const TYPING = 350; // milliseconds without a key until a search begins
const SLOW = 3000; // milliseconds after which the page says that it still waits

const at = (id) => document.getElementById(id);
const page = Object.fromEntries(
  ["ask", "query", "given", "given-picture", "given-name", "clear", "file", "top-k", "beam-width", "beams-told",
    "verify", "min-score", "at-once", "conditions", "add-condition", "status", "notice", "key-form", "key", "title", "told",
    "grid", "more", "times", "strip", "keys", "why"].map((id) => [id, at(id)]),
);
let given = null; // the picture that is searched with, a Blob
let running = null; // AbortController of the search under way
let typing = 0;
let next = null; // the cursor of the next page

page.ask.addEventListener("submit", (event) => {
  event.preventDefault();
  search();
});
page.query.addEventListener("input", () => {
  clearTimeout(typing);
  if (page["at-once"].checked) typing = setTimeout(search, TYPING);
});
page.clear.addEventListener("click", () => give(null));
page.file.addEventListener("change", () => page.file.files[0] && give(page.file.files[0]));
page["beam-width"].addEventListener("input", () => { page["beams-told"].value = page["beam-width"].value; });
for (const id of ["top-k", "beam-width", "verify", "min-score"]) page[id].addEventListener("change", () => asked() && search());
page["add-condition"].addEventListener("click", () => addCondition(page.conditions, () => asked() && search()));
page.more.addEventListener("click", () => search(next));
page["key-form"].addEventListener("submit", (event) => {
  event.preventDefault();
  setKey("search", page.key.value);
  page["key-form"].hidden = true;
  asked() ? search() : welcome();
});
addEventListener("popstate", restore);
addEventListener("keydown", keys);
addEventListener("paste", (event) => {
  const file = [...event.clipboardData.files].find((one) => one.type.startsWith("image/"));
  if (file) { event.preventDefault(); give(file); }
});
addEventListener("dragover", (event) => { event.preventDefault(); document.body.classList.add("dragged"); });
addEventListener("dragleave", (event) => event.relatedTarget ?? document.body.classList.remove("dragged"));
addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("dragged");
  const file = [...event.dataTransfer.files].find((one) => one.type.startsWith("image/"));
  if (file) give(file);
  else fail(new Error("That was no picture; drop an image file."));
});
restore();

function asked() {
  return given !== null || page.query.value.trim() !== "";
}

/** Take a picture as the query, or none. */
function give(file) {
  if (page["given-picture"].src) URL.revokeObjectURL(page["given-picture"].src);
  given = file;
  page.given.hidden = file === null;
  page.query.hidden = file !== null;
  page.file.value = "";
  if (file === null) {
    page["given-picture"].removeAttribute("src");
    page.query.focus();
    search();
    return;
  }
  page.query.value = "";
  page["given-picture"].src = URL.createObjectURL(file);
  page["given-name"].textContent = file.name ?? "";
  search();
}

async function search(cursor = null) {
  clearTimeout(typing);
  running?.abort();
  if (!asked()) { history.replaceState(null, "", "/"); welcome(); return; }
  const mine = running = new AbortController();
  const slow = setTimeout(() => notify(page.notice, "", "Still searching. The service may be warming up, or others are before you."), SLOW);
  if (!cursor) wait();
  page.more.disabled = true;
  try {
    const [answer, words] = await Promise.all([
      given ? byPicture(cursor, mine.signal) : byText(cursor, mine.signal),
      clusterWords(given ? "text" : "image"),
    ]);
    performance.mark("answered");
    render(answer, words, cursor !== null);
    requestAnimationFrame(() => setTimeout(() => performance.measure("painted", "answered")));
  } catch (error) {
    if (error.name !== "AbortError") fail(error);
  } finally {
    clearTimeout(slow);
    page.more.disabled = false;
    if (running === mine) page.grid.classList.remove("waiting");
  }
}

function byText(cursor, signal) {
  const query = page.query.value.trim();
  const where = `/?q=${encodeURIComponent(query)}`;
  if (location.pathname + location.search !== where) history.pushState(null, "", where);
  return ask("/search/text-to-image", { method: "POST", body: { query, ...options(cursor) }, signal });
}

function byPicture(cursor, signal) {
  if (location.search) history.pushState(null, "", "/");
  const form = new FormData();
  form.set("image", given);
  for (const [field, value] of Object.entries(options(cursor))) {
    form.set(field, typeof value === "object" ? JSON.stringify(value) : value);
  }
  return ask("/search/image-to-text", { method: "POST", form, signal });
}

function options(cursor) {
  const filter = readFilter(page.conditions);
  return {
    top_k: Math.max(1, Number(page["top-k"].value) || Number(page["top-k"].defaultValue)),
    beam_width: Number(page["beam-width"].value),
    verify: page.verify.value,
    explain: true,
    ...(page["min-score"].value ? { min_score: Number(page["min-score"].value) } : {}),
    ...(filter ? { filter } : {}),
    ...(cursor ? { cursor } : {}),
  };
}

function render(answer, words, follows) {
  const texts = given !== null;
  const best = Math.max(...answer.items.map((item) => item.logprob ?? -Infinity));
  const cards = answer.items.map((item) => make("li", {}, card(item, words.get(item.identifier.global_id), {
    why: () => explain(page.why, item, words),
    similar: () => like(item),
    best,
  })));
  page.grid.classList.remove("waiting");
  page.grid.classList.toggle("texts", texts);
  if (follows) page.grid.append(...cards);
  else page.grid.replaceChildren(...cards);
  next = answer.cursor;
  page.more.hidden = next === null;
  const found = count(page.grid.children.length, texts ? "text" : "picture");
  const told = answer.cached ? "from the cache" : `${answer.timings.total.toFixed(0)} ms`;
  page.title.textContent = cards.length || follows ? found : "";
  const by = { none: "", evidence: ", with the guide", only: ", by the guide alone" }[answer.guide];
  page.told.textContent = `${told}${answer.verified ? ", verified" : ""}${by}, index ${answer.index_version.slice(0, 12)}`;
  page.status.textContent = `${found} found, ${told}`;
  notify(page.notice, "");
  if (answer.degraded) {
    notify(page.notice, "warn", `There was time for ${count(answer.degraded.beam_width, "beam")} and ${count(answer.degraded.verified, "verified candidate")} only; allow the search more time for a better answer.`);
  } else if (!page.grid.children.length) {
    notify(page.notice, "", Number(page["min-score"].value)
      ? "Nothing here fits: no item is as likely to be right as you ask. Say it in other words, or ask for a lower probability."
      : "Nothing can be found with these filters; take one away.");
  }
  showTimes(page.times, page.strip, page.keys, answer.timings);
}

/** Search with what was found: a picture for its texts, a text for its pictures. */
async function like(item) {
  try {
    if (item.image) {
      const found = await bytes(item.image);
      give(new File([found], item.id, { type: found.type }));
    } else {
      page.query.value = item.text;
      give(null);
    }
  } catch (error) {
    fail(error);
  }
  scrollTo({ top: 0 });
}

/** Before anything was asked: some of what can be found. */
async function welcome() {
  notify(page.notice, "");
  page.more.hidden = page.times.hidden = true;
  page.told.textContent = "";
  try {
    const [tree, texts, words] = await Promise.all([
      ask("/identifiers?kind=image&branches=1&items=12"), ask("/identifiers?kind=text&branches=1&items=40"), clusterWords("image"),
    ]);
    if (asked()) return;
    page.title.textContent = "Some of what can be found";
    page.grid.classList.remove("texts");
    page.grid.replaceChildren(...tree.items.map((item) => make("li", {}, card(item, words.get(item.identifier.global_id), { similar: () => like(item) }))));
    if (texts.items.length) {
      const short = texts.items.map((item) => item.text).sort((one, other) => one.length - other.length);
      const tries = short.slice(0, 3).map((text) => make("button", { type: "button", onclick: () => { page.query.value = text; search(); } }, text));
      notify(page.notice, "tries row", make("span", {}, "Try"), ...tries);
    }
    page.status.textContent = "Ready to search";
  } catch (error) {
    fail(error);
  }
}

function wait() {
  notify(page.notice, "");
  page.status.textContent = "Searching";
  page.grid.classList.add("waiting");
  if (!page.grid.querySelector(".rank")) {
    page.grid.replaceChildren(...Array.from({ length: 8 }, () => make("li", { "aria-hidden": "true" }, make("div", { class: "item card" }))));
  }
}

function fail(error) {
  page.grid.replaceChildren();
  page.title.textContent = page.told.textContent = "";
  page.more.hidden = page.times.hidden = true;
  page.status.textContent = error.message;
  const again = make("button", { type: "button", onclick: () => (asked() ? search() : welcome()) }, "Try again");
  const wait = error.retryAfter ? ` It asks to wait ${count(error.retryAfter, "second")}.` : "";
  notify(page.notice, "bad row", make("span", { role: "alert" }, error.message + wait), again);
  page["key-form"].hidden = error.status !== 401 && error.status !== 403;
}

function restore() {
  page.query.value = new URLSearchParams(location.search).get("q") ?? "";
  if (given) { given = null; page.given.hidden = true; page.query.hidden = false; }
  asked() ? search() : welcome();
}

function keys(event) {
  const writes = event.target.matches("input, select, textarea");
  if (event.key === "/" && !writes) { event.preventDefault(); page.query.focus(); page.query.select(); return; }
  const cards = [...page.grid.querySelectorAll("article")];
  const here = cards.indexOf(document.activeElement);
  if (here < 0) {
    if (event.key === "ArrowDown" && event.target === page.query) cards[0]?.focus();
    return;
  }
  const across = getComputedStyle(page.grid).gridTemplateColumns.split(" ").length;
  const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: across, ArrowUp: -across }[event.key];
  if (step) { event.preventDefault(); (cards[here + step] ?? (step < 0 ? page.query : cards[here])).focus(); }
  else if (event.key === "Enter" || event.key === "w") cards[here].querySelector("button")?.click();
}
