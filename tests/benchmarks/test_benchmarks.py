"""The benchmarks run from end to end at a small size, and end with their ratios."""

import json
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from benchmarks.bare import create_bare
from benchmarks.vectors import hnsw_bytes


def last_line(name: str, out: Path, *arguments: object, plotted: bool = True) -> dict[str, float]:
    command = [sys.executable, "-m", f"benchmarks.{name}", "--out", str(out), *map(str, arguments)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=500, check=False)
    assert ran.returncode == 0, ran.stderr[-3000:]
    ratios: dict[str, float] = json.loads(ran.stdout.splitlines()[-1])
    assert ratios.pop("benchmark") == name
    assert json.loads((out / f"{name}.json").read_text())["ratios"] == ratios
    if plotted:
        assert (out / f"{name}.png").stat().st_size > 5000
    return ratios


def test_masks_and_memory(tmp_path: Path) -> None:
    masks = last_line("masks", tmp_path, "--sizes", 300, "--rounds", 2)
    assert masks.keys() == {
        f"{rival}_300_depths_{depths}_to_5"
        for rival in ("marisa", "dictionary")
        for depths in (1, 2)
    }
    memory = last_line("memory", tmp_path, "--sizes", 3000, "--rounds", 2)
    assert 0 < memory["resident_bytes_an_identifier_3000"] < 100
    assert memory["file_to_marisa_3000"] > 0


def test_guide(tmp_path: Path) -> None:
    guide = last_line("guide", tmp_path, "--sizes", 500, 1500, "--rounds", 2, plotted=False)
    assert guide["bytes_an_item"] < 400
    assert guide["bytes_to_hnsw_1500"] < 1
    assert guide["cells_bytes_an_item"] < 400
    assert guide["descent_recall_at_10_1500"] > 0.9
    assert guide.keys() >= {"candidates_ms_1500", "exact_to_hnsw_500", "descent_to_hnsw_500"}
    assert guide["encode_ms"] > 0
    assert hnsw_bytes() * guide["bytes_to_hnsw_1500"] == pytest.approx(384, rel=0.02)


def test_updates(tmp_path: Path) -> None:
    short = ["--sizes", 400, "--changes", 20, "--rounds", 2]
    updates = last_line("updates", tmp_path, *short, plotted=False)
    told = json.loads((tmp_path / "updates.json").read_text())["measured"]["400"]
    assert told["hnsw_removes"] is False
    assert {name for name in told if name.endswith("_a_second")} == {
        f"{who}_{what}_a_second"
        for who, what in (
            ("ours", "added_singly"),
            ("ours", "added_by_hundred"),
            ("ours", "deleted"),
            ("hnsw", "added_singly"),
            ("hnsw", "added_by_hundred"),
            ("hnsw", "marked"),
            ("flat", "removed"),
        )
    }
    assert updates["added_by_hundred_to_hnsw_400"] > 0


def test_facets(tmp_path: Path) -> None:
    counts = last_line("facets", tmp_path, "--sizes", 300, "--rounds", 1, plotted=False)
    assert counts["postings_ms_year_third_300"] > 0
    assert counts["loop_to_postings_category_all_300"] > 0
    assert counts["sqlite_to_postings_tags_all_300"] > 0
    assert counts["bytes_an_item_year_300"] > 0


def test_refusal(guided: Path, tmp_path: Path) -> None:
    sizes = ["--demo", guided, "--queries", 20]
    refusal = last_line("refusal", tmp_path, *sizes, plotted=False)
    assert refusal.keys() == {"far_refused_demo", "false_refusals_demo", "near_auc_demo"}
    assert refusal["far_refused_demo"] > refusal["false_refusals_demo"]
    assert 0 <= refusal["near_auc_demo"] <= 1
    told = json.loads((tmp_path / "refusal.json").read_text())["measured"]["demo"]
    assert told["queries"]["far"] == 200
    assert told["near"]["pictures_taken_out"] > 0


def test_keywords(tmp_path: Path) -> None:
    sizes = ["--documents", 40, "--encoded", 3, "--rounds", 1]
    keywords = last_line("keywords", tmp_path, *sizes, plotted=False)
    assert keywords["keybert_to_ours"] > 0
    assert 0 < keywords["encoder_share"] < 1
    assert 0 < keywords["encoder_share_with_keybert"] < 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "arguments", "ratio"),
    [
        ("search", ["--sizes", 2000], "ours_to_hugging_face_50_beams_2000"),
        ("throughput", ["--clients", 2], "ours_to_stock_2_clients"),
        ("scale", ["--sizes", 1000, 3000], "latency_3000_to_1000"),
    ],
)
def test_searches(
    trained: Path, tmp_path: Path, name: str, arguments: list[object], ratio: str
) -> None:
    bundle = ["--bundle", trained / "bundle", "--eager", "--rounds", 1]
    assert last_line(name, tmp_path, *bundle, *arguments)[ratio] > 0


@pytest.mark.slow
def test_service(trained: Path, tmp_path: Path) -> None:
    bundle = ["--bundle", trained / "bundle", "--eager", "--rounds", 1]
    short = ["--seconds", 1, "--logs", "logged"]
    cached = last_line("cached", tmp_path, *bundle, *short, plotted=False)
    assert cached["cached_to_bare_logged"] > 0
    soak = last_line("soak", tmp_path, *bundle, "--minutes", 0.1, "--reloads", 2)
    assert soak["errors"] == 0
    assert soak["answered"] > 0
    assert soak["memory_at_end_to_before_reloads"] > 0
    paint = last_line("paint", tmp_path, *bundle[:2], "--rounds", 2, plotted=False)
    assert paint["median_painted_ms"] > 0


@pytest.mark.slow
def test_hostile_client(trained: Path, tmp_path: Path) -> None:
    short = ["--minutes", 0.2, "--rounds", 1, "--fake"]
    hostile = last_line("hostile", tmp_path, "--bundle", trained / "bundle", *short)
    assert hostile["hostile_requests"] > 0
    assert hostile["hostile_5xx"] == hostile["honest_failures"] == 0


def test_lookups_while_redis_is_in_trouble(tmp_path: Path) -> None:
    lookups = last_line("redis_faults", tmp_path, "--seconds", 0.1, "--rounds", 1, plotted=False)
    assert lookups.keys() >= {"most_ms_healthy", "most_ms_hung", "most_ms_dead", "most_ms_garbage"}


async def test_a_bare_endpoint_answers_the_bytes() -> None:
    transport = httpx.ASGITransport(create_bare("/search", b'{"items": []}'))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        answer = await client.post("/search", json={"query": "a boat"})
    assert answer.content == b'{"items": []}'
    assert answer.headers["content-type"] == "application/json"
