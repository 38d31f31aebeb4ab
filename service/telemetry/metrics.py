"""What Prometheus scrapes. All labels exist from the start, lest a rate lack its first step."""

from itertools import product

from prometheus_client import Counter, Gauge, Histogram

from semcore.kind import DIRECTIONS
from service.telemetry.memory import resident_bytes

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

SEARCHES = Counter("semcore_searches_total", "Searches by outcome", ["direction", "outcome"])
CACHE = Counter("semcore_cache_lookups_total", "Cache lookups by result", ["result"])
STAGE = Histogram(
    "semcore_stage_seconds", "Time of a search by stage", ["direction", "stage"], buckets=_SECONDS
)
ILLEGAL = Counter(
    "semcore_illegal_identifiers_total", "Identifiers spelled that the trie does not hold"
)
VERIFIED = Counter(
    "semcore_verified_searches_total",
    "Searches by whether the model judged",
    ["direction", "verified"],
)
FLIPS = Counter("semcore_gsv_flips_total", "Searches whose first item verification changed")
SURVIVAL = Histogram(
    "semcore_beam_survival",
    "Identifiers found, as a share of the beams of the search",
    ["direction"],
    buckets=(0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 1.0),
)
RELOADS = Counter("semcore_index_reloads_total", "Index reloads by outcome", ["outcome"])
INDEX = Gauge("semcore_index_info", "1 for the index version that serves", ["version"])
CANARY = Gauge("semcore_canary_recall", "Recall at 10 of the index's canary queries", ["direction"])
CHANGES = Counter("semcore_item_changes_total", "Items added (or replaced) and deleted", ["change"])
UNTOLD = Gauge("semcore_changes_untold", "Changes of items that other replicas were not told yet")
LACKING = Gauge(
    "semcore_changes_uncompacted", "Changes of items that the current bundle does not hold"
)
LACKING_SECONDS = Gauge(
    "semcore_changes_uncompacted_seconds", "Age of the first change that the bundle does not hold"
)
CLOCK = Gauge(
    "semcore_clock_seconds",
    "Time of the last change, in seconds since 1970, that the bundle holds, and that was read",
    ["of"],
)
SET_ASIDE = Gauge("semcore_items_set_aside", "Changes of items that cannot be shown")
LOST = Gauge("semcore_replica_lost", "1 where the replica may lack changes that others have made")
READY = Gauge("semcore_ready", "1 once warmed up")
QUEUE = Gauge("semcore_queue_depth", "Searches that wait for a turn in the engine")
REFUSED = Counter(
    "semcore_refused_total",
    "Requests sent away: a full queue, a key's rate, or too many bytes of bodies",
    ["reason"],
)
DEGRADED = Counter(
    "semcore_degraded_total",
    "Answers with fewer beams or verified candidates for lack of time",
    ["direction"],
)
IN_FLIGHT = Gauge("semcore_searches_in_flight", "Searches under way, waiting ones included")
MEMORY = Gauge("semcore_memory_bytes", "Resident memory of the service, its engine included")
MEMORY.set_function(resident_bytes)

for _direction, _outcome in product(
    (*DIRECTIONS, "similar", "rerank"), ("answered", "cached", "failed", "refused", "late")
):
    SEARCHES.labels(_direction, _outcome)
for _direction in DIRECTIONS:
    DEGRADED.labels(_direction)
    SURVIVAL.labels(_direction)
    for _verified in ("true", "false"):
        VERIFIED.labels(_direction, _verified)
for _result in ("hit", "miss", "shared"):
    CACHE.labels(_result)
for _outcome in ("done", "refused"):
    RELOADS.labels(_outcome)
for _change in ("added", "deleted"):
    CHANGES.labels(_change)
for _reason in ("queue", "rate", "bodies"):
    REFUSED.labels(_reason)
