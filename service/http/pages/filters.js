// Conditions on metadata, put together as the filter of a search.
import { make } from "./dom.js";

const SIGNS = { is: "equals", "at least": "gte", "at most": "lte", "is not": "not" };

/** Add an empty condition; `changed` is called whenever one changes. */
export function addCondition(list, changed) {
  const number = list.children.length + 1;
  const field = make("input", { class: "of", "aria-label": `Field of condition ${number}`, placeholder: "field", onchange: changed });
  const sign = make("select", { "aria-label": `Comparison of condition ${number}`, onchange: changed },
    Object.keys(SIGNS).map((name) => make("option", {}, name)));
  const value = make("input", { class: "value", "aria-label": `Value of condition ${number}`, placeholder: "value", onchange: changed });
  const row = make("span", { class: "row condition" }, field, sign, value,
    make("button", { type: "button", "aria-label": `Remove condition ${number}`, onclick: () => { row.remove(); changed(); } }, "×"));
  list.append(row);
  field.focus();
}

/** The filter of all conditions that are filled in; undefined if there is none. */
export function readFilter(list) {
  const found = [...list.querySelectorAll(".condition")].map(condition).filter(Boolean);
  if (found.length === 0) return undefined;
  return found.length === 1 ? found[0] : { and: found };
}

function condition(row) {
  const field = row.querySelector(".of").value.trim();
  const text = row.querySelector(".value").value.trim();
  if (!field || !text) return null;
  const value = Number.isNaN(Number(text)) ? text : Number(text);
  const sign = SIGNS[row.querySelector("select").value];
  return sign === "not" ? { not: { field, equals: value } } : { field, [sign]: value };
}
