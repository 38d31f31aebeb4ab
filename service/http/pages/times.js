// Where the time of a search went, as one strip.
import { make } from "./dom.js";

const TITLES = {
  facets: "counting", filter: "filter", queue: "waiting", tokenise: "reading the query", beams: "beams",
  guide: "guide", items: "items", likelihood: "likelihood", commonness: "commonness", verify: "verification",
  rank: "ranking",
};

/** Show the stages that took any time worth seeing; none for an answer from the cache. */
export function showTimes(section, strip, keys, timings) {
  const stages = Object.entries(TITLES).filter(([stage]) => timings[stage] >= 0.05);
  section.hidden = stages.length === 0;
  strip.replaceChildren(...stages.map(([stage]) => {
    const part = make("span");
    part.style.flexGrow = timings[stage];
    return part;
  }));
  keys.replaceChildren(...stages.map(([stage, title]) => make("li", { class: "key" }, `${title} ${timings[stage].toFixed(timings[stage] < 10 ? 1 : 0)} ms`)));
}
