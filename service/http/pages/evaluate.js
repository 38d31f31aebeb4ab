// The report of an evaluation, and its failures side by side with what was returned.
import { ask, show } from "./api.js";
import { chips, count, make, notify } from "./dom.js";
import { content } from "./items.js";

const STEP = 10; // failures shown at a time

const at = (id) => document.getElementById(id);
let report;
let failures = [];
let shown = 0;

at("direction").addEventListener("change", choose);
at("more").addEventListener("click", more);
load();

async function load() {
  try {
    report = await ask("/report/results.json");
  } catch (error) {
    notify(at("notice"), error.status === 404 ? "" : "bad", make("span", { role: "alert" }, error.message));
    return;
  }
  at("report").hidden = false;
  at("about").textContent = `Corpus ${report.corpus}, bundle ${report.bundle}. ${report.held_out_rule}`;
  table(report.rows);
  facts();
  for (const name of ["survival", "reliability"]) show(at(name), `/report/${name}.png`);
  at("direction").replaceChildren(...Object.keys(report.failures).map((one) => make("option", {}, one)));
  choose();
}

function table(rows) {
  const names = Object.keys(rows[0].recall);
  const cell = (one) => make("td", {}, make("strong", {}, one.value.toFixed(1)), make("span", { class: "quiet small" }, ` ${one.low.toFixed(1)}–${one.high.toFixed(1)}`));
  at("rows").replaceChildren(
    make("thead", {}, make("tr", {}, ["Direction", "System", "Queries", ...names, "Verified", "Illegal"].map((one) => make("th", { scope: "col" }, one)))),
    make("tbody", {}, rows.map((row) => make("tr", {}, make("td", {}, row.direction), make("td", {}, row.system), make("td", {}, String(row.queries)),
      names.map((one) => cell(row.recall[one])), make("td", {}, `${(100 * row.verified).toFixed(0)} %`), make("td", {}, `${(100 * row.illegal).toFixed(1)} %`)))),
  );
}

function facts() {
  const found = [];
  for (const [kind, rate] of Object.entries(report.collision_rate)) {
    found.push([`${kind === "image" ? "Pictures" : "Texts"} that share an identifier`, `${(100 * rate).toFixed(1)} %`]);
  }
  for (const [direction, one] of Object.entries(report.flips)) {
    found.push([`Verification, ${direction}`, `put ${count(one.gained.length, "first item")} right and ${one.lost.length} wrong, of ${report.queries[direction]}`]);
    found.push([`Calibration error, ${direction}`, report.reliability[direction].error.toFixed(3)]);
  }
  at("facts").replaceChildren(...found.flatMap(([title, value]) => [make("dt", {}, title), make("dd", {}, value)]));
}

function choose() {
  failures = report.failures[at("direction").value];
  shown = 0;
  at("failures").replaceChildren();
  more();
}

async function more() {
  const some = failures.slice(shown, shown + STEP);
  shown += some.length;
  at("more").hidden = shown >= failures.length;
  const all = failures;
  const drawn = await Promise.all(some.map(failure));
  if (all !== failures) return; // another direction was chosen meanwhile
  at("failures").append(...drawn);
  at("status").textContent = `${shown} of ${count(failures.length, "failure")}`;
}

async function failure(answered) {
  const wanted = [answered.query, ...answered.items];
  const [query, ...items] = await Promise.all(wanted.map((id) => ask(`/items/${encodeURIComponent(id)}`).catch(() => null)));
  const told = answered.verified === null ? `Not found: lost with token ${answered.lost_at ?? "?"}.` : `Found in place ${answered.verified}, by the beams in place ${answered.beam}.`;
  return make(
    "article",
    { class: "card block failure" },
    make("div", { class: "query" }, make("h3", {}, "Query"), query ? content(query, "") : make("p", {}, answered.query), make("p", { class: "quiet small" }, told)),
    make("div", {}, make("h3", {}, "Returned"), make("ol", { class: "small-grid" }, items.map((item, place) => returned(item, place + 1 === answered.verified)))),
  );
}

function returned(item, right) {
  if (item === null) return make("li", { class: "quiet" }, "no longer there");
  return make("li", { class: right ? "right" : "" }, content(item, ""), chips(item.identifier), right ? make("span", { class: "small" }, "the right one") : null);
}
