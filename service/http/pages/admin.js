// Index versions, canary figures, reload and rollback, behind the key.
import { ask, keyFor, setKey } from "./api.js";
import { count, make, notify } from "./dom.js";

const LOOK = 2000; // milliseconds between two looks

const at = (id) => document.getElementById(id);
const admin = (path, options = {}) => ask(path, { scope: "admin", ...options });

at("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  setKey("admin", at("key").value);
  open();
});
at("reload").addEventListener("submit", (event) => {
  event.preventDefault();
  const bundle = at("bundle").value.trim();
  change("/admin/index/reload", bundle ? { bundle } : {}, "Loading, while the current one serves on");
});
at("rollback").addEventListener("click", () => change("/admin/index/rollback", undefined, "Rolling back"));
if (keyFor("admin")) open();

async function open() {
  if (!await look()) return;
  at("key-form").hidden = true;
  at("house").hidden = false;
  setInterval(() => document.hidden || look(), LOOK);
}

let looks = 0;

/** Show what is there now; false if it cannot be had. */
async function look() {
  const mine = ++looks;
  try {
    const status = await admin("/admin/index");
    if (mine === looks) draw(status); // what was asked for later is newer
    if (at("house").hidden) notify(at("notice"), "");
    return true;
  } catch (error) {
    say("bad", error.message);
    return false;
  }
}

async function change(path, body, meanwhile) {
  const buttons = [...document.querySelectorAll("#house button")];
  for (const button of buttons) button.disabled = true;
  say("", `${meanwhile}…`);
  try {
    const answer = await admin(path, { method: "POST", body });
    const canary = Object.entries(answer.canary).map(([direction, recall]) => `${direction} ${(100 * recall).toFixed(0)} %`).join(", ");
    say("good", `Serving ${answer.index_version} in place of ${answer.previous_version}.${canary ? ` Canary recall at 10: ${canary}.` : ""}`);
  } catch (error) {
    say("bad", `${error.message} The index before serves on.`);
  } finally {
    for (const button of buttons) button.disabled = false;
    await look();
  }
}

function say(kind, message) {
  notify(at("notice"), kind, make("span", { role: kind === "bad" ? "alert" : "presentation" }, message));
  at("status").textContent = message;
}

function draw(status) {
  facts(at("current"), report(status.current));
  facts(at("previous"), status.previous ? report(status.previous) : [["", "There is none yet."]]);
  at("rollback").disabled = status.previous === null || status.loading !== null;
  const { loading, failed } = status;
  at("loading").textContent = loading ? `${loading.bundle}: ${loading.stage}` : failed ? `Last refused: ${failed.bundle}: ${failed.reason}` : "";
  at("replicas").hidden = status.replicas.length === 0;
  const rows = status.replicas.map((one) => [one.name, one.index_version, one.bundle, one.journal, one.ready ? "ready" : "not ready"]);
  at("replica-rows").replaceChildren(
    make("thead", {}, make("tr", {}, ["Replica", "Index", "Bundle", "Journal", ""].map((one) => make("th", { scope: "col" }, one)))),
    make("tbody", {}, rows.map((row) => make("tr", {}, row.map((one) => make("td", {}, String(one)))))),
  );
}

function report(index) {
  const canary = index.canary && Object.entries(index.canary);
  return [
    ["Version", index.version],
    ["Bundle", index.bundle],
    ["Made", new Date(index.created).toLocaleString("en-GB")],
    ["Corpus", index.corpus],
    ["Guide", guide(index.guide)],
    ["Holds", Object.entries(index.counts).map(([what, number]) => `${what.replaceAll("_", " ")} ${number.toLocaleString("en")}`).join(", ")],
    ["Since then", `${count(index.added, "item")} added, ${index.deleted} deleted`],
    ["Canary recall at 10", canary?.length ? canary.map(([direction, recall]) => `${direction} ${(100 * recall).toFixed(0)} %`).join(", ") : canary ? "the bundle has no canary" : "not asked yet"],
  ];
}

function guide(one) {
  if (!one) return "none";
  const looks = one.picture_weight ? `a picture's look weighs ${one.picture_weight} beside its captions` : "captions alone";
  return `${one.encoder || "the sentence encoder installed"}, ${looks}${one.alone ? "; it alone searches, since there is no model yet" : ""}`;
}

function facts(list, found) {
  list.replaceChildren(...found.flatMap(([title, value]) => [make("dt", {}, title), make("dd", {}, value)]));
}
