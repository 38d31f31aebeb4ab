"""The pages say what is there: the site is built, links lead somewhere, and what is shown runs."""

import asyncio
import importlib.util
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import typer
from live import fake_service, until_ready
from markdown import Markdown
from typer.testing import CliRunner

from cli.exit_codes import ExitCode
from cli.main import app
from offline.corpus.corpus import Corpus
from service.settings import Settings

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").glob("*.md"))]
ADDRESS = "http://127.0.0.1:8080"
KEY = "secret"
PICTURES = 30
CHANGE_INDEX = {"api.md", "operating.md", "training.md"}
"""Pages whose blocks have a service of their own, on the fake engine: their changes stay."""

_BLOCK = re.compile(
    r"^(?P<not_run><!-- not run: [^\n]+ -->\n)?```(?P<language>\w*)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_SPAN = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_SETTING = re.compile(r"\bSEMCORE_[A-Z][A-Z_]*\b")
_GROUP: Any = typer.main.get_command(app)


@dataclass(frozen=True)
class Block:
    """A fenced block; ``is_run`` unless a comment before it says why not."""

    language: str
    text: str
    is_run: bool

    @property
    def lines(self) -> list[str]:
        return [line for line in self.text.replace("\\\n", "").splitlines() if line.strip()]


def blocks(page: Path) -> Iterator[Block]:
    for found in _BLOCK.finditer(page.read_text()):
        yield Block(found["language"], found["text"], found["not_run"] is None)


def prose(page: Path) -> str:
    return _BLOCK.sub("", page.read_text())


def command_lines(page: Path) -> Iterator[list[str]]:
    """All that is typed into a shell, in blocks and in the text, as words."""
    shown = [line for block in blocks(page) if block.language == "sh" for line in block.lines]
    said = [
        span for span in _SPAN.findall(prose(page)) if re.match(r"(semcore|make|python) ", span)
    ]
    for line in (*shown, *said):
        yield shlex.split(line, comments=True)


def anchors(page: Path) -> set[str]:
    markdown = Markdown(extensions=["toc", "fenced_code"])
    markdown.convert(page.read_text())

    def ids(tokens: Sequence[dict[str, object]]) -> Iterator[str]:
        for token in tokens:
            yield str(token["id"])
            yield from ids(token["children"])  # type: ignore[arg-type]

    return set(ids(markdown.toc_tokens))  # type: ignore[attr-defined]


def options_of(command: Any) -> set[str]:
    return {"--help", *(option for one in command.params for option in one.opts)} | {
        option for one in command.params for option in one.secondary_opts
    }


def page_id(page: Path) -> str:
    return page.name


def test_the_site_is_built_and_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    built = [file for file in tmp_path.rglob("*.html") if file.name != "404.html"]
    assert {page.stem for page in PAGES[1:]} <= {file.stem for file in built}
    for file in built:
        loaded = re.findall(
            r"<(?:script|link|img|iframe)\b[^>]*?(?:src|href)=\"([^\"]+)", file.read_text()
        )
        assert loaded
        assert not [address for address in loaded if re.match(r"(\w+:)?//", address)], file


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_links_lead_somewhere(page: Path) -> None:
    for link in _LINK.findall(_SPAN.sub("", prose(page))):
        if re.match(r"\w+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.is_file(), f"{link}: there is no {target}"
        if anchor:
            assert anchor in anchors(target), f"{link}: there is no such heading"


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_commands_and_their_options_exist(page: Path) -> None:
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for words in command_lines(page):
        if "-m" in words[:2] or words[0] == "accelerate":
            name = words[words.index("-m") + 1]
            if not name.endswith("NAME"):
                assert importlib.util.find_spec(name), name
            words = ["semcore", *words[words.index("-m") + 2 :]] if name == "cli" else []
        if words[:1] == ["make"]:
            assert words[1] in targets, words
        if words[:1] != ["semcore"] or words[1] == "COMMAND":
            continue
        command = _GROUP
        if not words[1].startswith("-"):
            assert words[1] in _GROUP.commands, words
            command = _GROUP.commands[words[1]]
        given = {word.partition("=")[0] for word in words[1:] if word.startswith("--")}
        assert given <= options_of(command), words


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_settings_exist(page: Path) -> None:
    known = {f"SEMCORE_{name.upper()}" for name in Settings.model_fields}
    for command in _GROUP.commands.values():
        known |= {str(option.envvar) for option in command.params if option.envvar}
    known |= set(_SETTING.findall((ROOT / "docker-compose.yml").read_text()))
    assert set(_SETTING.findall(page.read_text())) <= known


def test_the_table_of_routes_is_that_of_the_contract() -> None:
    told = re.findall(r"^\| `([A-Z]+ /[^`]*)` \|", (ROOT / "docs/api.md").read_text(), re.MULTILINE)
    paths = json.loads((ROOT / "docs/openapi.json").read_text())["paths"]
    assert set(told) == {
        f"{method.upper()} {path}" for path, methods in paths.items() for method in methods
    }


def test_the_tables_of_commands_and_exit_codes_are_complete() -> None:
    page = (ROOT / "docs/commands.md").read_text()
    assert sorted(re.findall(r"^\| `semcore (\w+)", page, re.MULTILINE)) == sorted(_GROUP.commands)
    assert [int(code) for code in re.findall(r"^\| (\d+) \|", page, re.MULTILINE)] == [*ExitCode]


def test_json_is_sound() -> None:
    shown = [block for page in PAGES for block in blocks(page) if block.language == "json"]
    assert shown
    for block in shown:
        one_a_line = all(line.startswith("{") and line.endswith("}") for line in block.lines)
        for text in block.lines if one_a_line else [block.text]:
            json.loads(text)


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("journal")


@pytest.fixture(scope="module")
def own_service(trained: Path, journal: Path) -> Iterator[str]:
    settings = {"SEMCORE_ADMIN_KEY": KEY, "SEMCORE_JOURNAL": str(journal)}
    with fake_service(trained / "bundle", **settings) as (_, url):
        asyncio.run(until_ready(url))
        yield url


@pytest.fixture
def folder(
    request: pytest.FixtureRequest,
    corpus: Corpus,
    journal: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """What a reader has: some pictures, beside them, but where they are to be built, index and
    model."""
    shutil.copytree(corpus.image_root, tmp_path / "photos")
    captions = tmp_path / "photos" / "captions.jsonl"
    captions.write_text("".join(captions.read_text().splitlines(keepends=True)[:PICTURES]))
    shutil.copy(Path(corpus.image_root) / corpus.pictures[0].image, tmp_path / "boat.jpg")
    (tmp_path / ".curlrc").write_text("fail-with-body\nsilent\nshow-error\n")
    if request.getfixturevalue("page").name != "corpus.md":
        trained: Path = request.getfixturevalue("trained")
        shutil.copytree(trained / "bundle", tmp_path / "index")
        (tmp_path / "model").symlink_to(trained / "model")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    monkeypatch.setenv("CURL_HOME", str(tmp_path))
    monkeypatch.setenv("SEMCORE_ADMIN_KEY", KEY)
    monkeypatch.setenv("SEMCORE_JOURNAL", str(journal))
    return tmp_path


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_files_that_are_named_exist(page: Path) -> None:
    """By the end of their path: where the page has named the package, the rest is enough."""
    files = [
        str(file)
        for top in ("service", "offline", "semcore", "cli", "benchmarks", "deploy", "tests")
        for file in (ROOT / top).rglob("*.py")
    ]
    named = re.findall(r"`([\w/]+/\w+\.py)`", page.read_text())
    assert [name for name in named if not any(f.endswith(f"/{name}") for f in files)] == []
    assert named or page.name != "how-it-works.md"


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_what_is_shown_runs(page: Path, folder: Path, request: pytest.FixtureRequest) -> None:
    """The readme's commands are those of the pages, so that only its Python is run."""
    languages = {"python"} if page == README else {"python", "sh"}
    shown = [block for block in blocks(page) if block.language in languages and block.is_run]
    if not shown:
        return
    service = "own_service" if page.name in CHANGE_INDEX else "service_url"
    url = request.getfixturevalue(service) if page.name != "corpus.md" else ADDRESS
    for block in shown:
        if block.language == "python":
            program = block.text.replace(ADDRESS, url)
            exec(compile(program, str(page), "exec"), {"__name__": "__main__"})
        for line in block.lines if block.language == "sh" else ():
            run(line, url)


def run(line: str, url: str) -> None:
    """Commands of semcore run in this process, where all is imported, and with few queries."""
    words = shlex.split(line, comments=True)
    if words[:1] != ["semcore"]:
        script = f"set -euo pipefail\n{line.replace(ADDRESS, url)}"
        done = subprocess.run(["bash", "-c", script], capture_output=True, text=True)
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
        return
    known = options_of(_GROUP.commands[words[1]])
    added = {"--url": url, "--limit": "4"}
    more = [part for name, value in added.items() if name in known for part in (name, value)]
    told = CliRunner().invoke(app, [*words[1:], *more])
    assert told.exit_code == 0, f"{line}\n{told.output}\n{told.exception}"
