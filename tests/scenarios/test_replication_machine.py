"""No acknowledged change is lost, no deleted item is found, and replicas that say they are in step
hold the same, whatever happens to replicas, bundles and Redis.

The changes are told and read by hand, so that each step is one of a kind that may come at any time.
The namer is a fake one, and nothing is searched: what can be found is read off the layers.
"""

import asyncio
import shutil
import tempfile
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import redis
import redis.asyncio
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from offline.bundle import compaction
from offline.bundle.binding import bind_bundle
from offline.bundle.build import BuildSettings, build_bundle
from offline.bundle.compaction import compact_bundle
from offline.corpus.reader import Corpus
from semcore.errors import BundleError
from semcore.identifiers import tokens
from semcore.identifiers.identifier import Identifier
from semcore.journal.journal import Journal
from semcore.kind import KINDS
from semcore.trie.layers import Leaves, Positions
from service.errors import NotFoundError
from service.index import open_bundle
from service.index.index import Index
from service.index.open_bundle import OpenBundle
from service.living.item_writer import Writer
from service.living.reload import Lifecycle
from service.living.replication import Replication
from service.schemas.admin import NewItem
from service.settings import Settings

IDS = [f"new {number}" for number in range(4)]
WORDS = ("boat", "dog", "night", "snow")
Facts = dict[str, str]
"""By id the caption of each item that can be found."""


@dataclass
class Stored:
    """A bundle as it should be: a corpus, and the changes that were put in, by their places."""

    path: Path
    corpus: Facts
    held: frozenset[int]


@dataclass(eq=False)
class Replica:
    number: int
    folder: Path
    bundle: Stored
    lifecycle: Lifecycle = field(init=False)
    journal: Journal = field(init=False)
    writer: Writer = field(init=False)
    replication: Replication = field(init=False)
    client: Any = field(init=False)
    known: set[int] = field(default_factory=set)
    settled: set[int] = field(default_factory=set)
    pending: list[tuple[str, str | None]] = field(default_factory=list)
    epoch: int = 0
    is_up: bool = False


class _Namer:
    def name(self, _kind: str, captions: list[str]) -> Identifier:
        return Identifier(1, tuple(captions[0].split()))


@dataclass(frozen=True)
class World:
    """What all runs share: corpora that bundles are built from, and a Redis."""

    bundles: tuple[Stored, ...]
    url: str | None


class Machine(RuleBasedStateMachine):
    """Attributes:
    order: all changes that were told, in the order that they got.
    stream: their places, as they were told since Redis was lost last.
    """

    world: World

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = Path(tempfile.mkdtemp(prefix="semcore-machine-"))
        self.redis = redis.Redis.from_url(self.world.url) if self.world.url else None
        if self.redis is not None:
            self.redis.flushall()
        self.order: list[tuple[str, str | None]] = []
        self.stream: set[int] = set()
        self.epoch = 1
        self.replicas: list[Replica] = []
        self.stored = list(self.world.bundles)
        self.numbers = iter(range(10**9))

    @initialize()
    def begin(self) -> None:
        self._new(self.stored[0])

    @precondition(lambda self: self.world.url and len(self.replicas) < 3)
    @rule(which=st.integers(0, 5))
    def a_new_replica(self, which: int) -> None:
        self._new(self.stored[which % len(self.stored)])

    @rule(who=st.integers(0, 2), item=st.integers(0, 5), words=st.permutations(WORDS))
    def add(self, who: int, item: int, words: list[str]) -> None:
        one = self._one(who)
        ids = [*IDS, *sorted(one.bundle.corpus)[:2]]
        new = NewItem(id=ids[item], kind="text", captions=[" ".join(words)])
        self._run(one.writer.add([new]))
        one.pending.append((new.id, new.captions[0]))

    @rule(who=st.integers(0, 2), item=st.integers(0, 9))
    def delete(self, who: int, item: int) -> None:
        one = self._one(who)
        found = sorted(self._expected(one))
        item_id = found[item % len(found)] if found else IDS[0]
        try:
            self._run(one.writer.delete(item_id))
        except NotFoundError:
            assert not found
        else:
            one.pending.append((item_id, None))

    @precondition(lambda self: self.world.url)
    @rule(who=st.integers(0, 2), tells=st.booleans())
    def turn(self, who: int, tells: bool) -> None:
        """Read the stream, and perhaps tell what has changed."""
        one = self._one(who)
        self._read(one)
        if tells and not one.replication.lost:
            self._tell(one)

    @precondition(lambda self: self.world.url)
    @rule()
    def settle(self) -> None:
        """Everybody tells and reads all."""
        for _ in range(2):
            for one in self._up():
                self._read(one)
                if not one.replication.lost:
                    self._tell(one)
        for one in self._up():
            self._read(one)
        sound = [one for one in self._up() if not one.replication.lost]
        for one in sound:
            assert one.journal.count_untold() == 0
        for version in {one.lifecycle.current.bundle.version for one in sound}:
            same = [one for one in sound if one.lifecycle.current.bundle.version == version]
            assert len({one.lifecycle.current.snapshot.version for one in same}) == 1
            assert len({one.journal.read.position for one in same}) == 1

    @rule(who=st.integers(0, 2))
    def compact(self, who: int) -> None:
        one = self._one(who)
        path = self.folder / f"bundle {next(self.numbers)}"
        compact_bundle(one.bundle.path, one.journal.folder, path) if one.journal.name else None
        if path.exists():
            held = one.bundle.held | one.settled
            corpus = one.bundle.corpus
            if not self.world.url:
                corpus = self._expected(one)
            self.stored.append(Stored(path, corpus, frozenset(held)))

    @rule(who=st.integers(0, 2), which=st.integers(0, 9))
    def load(self, who: int, which: int) -> None:
        """A bundle that was compacted, or built from the corpus anew, or kept from before."""
        self._load(self._one(who), self.stored[-1 - which % len(self.stored)])

    @rule(who=st.integers(0, 2))
    def load_twice(self, who: int) -> None:
        """So that there is no way back, and changes are pruned."""
        one = self._one(who)
        for _ in range(2):
            self._load(one, one.bundle)

    @rule(who=st.integers(0, 2))
    def restart(self, who: int) -> None:
        one = self._one(who)
        self._stop(one)
        self._start(one)

    @precondition(lambda self: len(self._up()) > 1)
    @rule(who=st.integers(0, 2))
    def stop(self, who: int) -> None:
        self._stop(self._one(who))

    @precondition(lambda self: any(not one.is_up for one in self.replicas))
    @rule()
    def start(self) -> None:
        self._start(next(one for one in self.replicas if not one.is_up))

    @precondition(lambda self: self.redis is not None)
    @rule(left=st.integers(0, 5))
    def trim(self, left: int) -> None:
        assert self.redis is not None
        self.redis.xtrim("semcore:changes", maxlen=left, approximate=False)

    @precondition(lambda self: self.redis is not None and self.epoch < 4)
    @rule()
    def lose_redis(self) -> None:
        assert self.redis is not None
        self.redis.flushall()
        self.stream = set()
        self.epoch += 1

    @precondition(lambda self: self.world.url and self._sound())
    @rule()
    def mend(self) -> None:
        """What a replica that is lost is told to do makes it whole."""
        self.settle()
        if not self._sound():  # what they had to read was cut off, their own changes too
            self.lose_redis()
            self.settle()
        one = self._sound()[0]
        before = len(self.stored)
        if not one.journal.name:
            return
        path = self.folder / f"bundle {next(self.numbers)}"
        compact_bundle(one.bundle.path, one.journal.folder, path)
        self.stored.append(
            Stored(path, one.bundle.corpus, frozenset(one.bundle.held | one.settled))
        )
        for other in self._up():
            self._load(other, self.stored[before])
            assert other.bundle is self.stored[before]
            self._read(other)
            assert not other.replication.lost

    @invariant()
    def what_is_found_is_what_was_acknowledged(self) -> None:
        for one in self._up():
            if not one.replication.lost:
                assert _found(one.lifecycle.current) == self._expected(one)

    @invariant()
    def those_in_step_agree(self) -> None:
        known: dict[str, Facts] = {}
        for one in self._up():
            if not one.replication.lost:
                found = _found(one.lifecycle.current)
                version = one.lifecycle.current.snapshot.version
                assert known.setdefault(version, found) == found

    def teardown(self) -> None:
        for one in self._up():
            self._stop(one)
        self.runner.close()
        shutil.rmtree(self.folder)

    def _run(self, work: Any) -> Any:
        return self.runner.run(work)

    def _up(self) -> list[Replica]:
        return [one for one in self.replicas if one.is_up]

    def _sound(self) -> list[Replica]:
        return [one for one in self._up() if not one.replication.lost and one.epoch == self.epoch]

    def _one(self, number: int) -> Replica:
        up = self._up()
        return up[number % len(up)]

    def _new(self, bundle: Stored) -> None:
        number = next(self.numbers)
        one = Replica(number, self.folder / f"replica {number}", bundle)
        self.replicas.append(one)
        self._start(one)

    def _start(self, one: Replica) -> None:
        chosen = Settings(
            bundle=one.bundle.path,
            journal=one.folder,
            redis_url=self.world.url,
            pictures=self.folder / "pictures",
        )
        has_stream = self.world.url is not None
        one.journal = Journal(one.folder, chosen.picture_folder, has_stream=has_stream)
        one.lifecycle = Lifecycle(chosen, one.journal)
        one.lifecycle._adopt(one.lifecycle.current)
        one.writer = Writer(one.lifecycle, one.journal, 1000)
        one.client = redis.asyncio.Redis.from_url(
            self.world.url or "redis://127.0.0.1:1", decode_responses=True
        )
        one.replication = Replication(one.client, one.lifecycle, one.writer, one.journal)
        one.is_up = True
        if self.world.url:
            self._read(one)

    def _stop(self, one: Replica) -> None:
        one.is_up = False
        one.lifecycle.close()
        one.journal.close()
        self._run(one.client.aclose())

    def _load(self, one: Replica, bundle: Stored) -> None:
        try:
            index = one.lifecycle._open(bundle.path)
        except BundleError:
            assert one.journal.floor  # else it lacks nothing
            return
        self._run(one.lifecycle._switch(index))
        one.bundle = bundle

    def _read(self, one: Replica) -> None:
        """Join and read to the end."""
        self._run(_turns(one.replication))
        if not one.replication.lost:
            if one.epoch != self.epoch > 1:  # what the bundle does not hold is told once more
                self.stream |= one.known - one.bundle.held
            self._run(_turns(one.replication))
            one.epoch = self.epoch
            one.known |= self.stream | one.bundle.held
            one.settled = set(one.known)

    def _tell(self, one: Replica) -> None:
        if one.replication._epoch is None or one.epoch != self.epoch:
            return
        self._run(one.replication._tell_all())
        for change in one.pending:
            place = len(self.order)
            self.order.append(change)
            one.known.add(place)
            self.stream.add(place)
        one.pending.clear()

    def _expected(self, one: Replica) -> Facts:
        found = dict(one.bundle.corpus)
        places = sorted(one.known | one.bundle.held)
        for item_id, caption in [*(self.order[place] for place in places), *one.pending]:
            found.pop(item_id, None)
            if caption is not None:
                found[item_id] = caption
        return found


async def _turns(replication: Replication) -> None:
    """Until all is read, or it is lost."""
    replication.read.clear()
    for _ in range(50):
        await replication._turn(None)
        if replication.lost or replication.read.is_set():
            return
    raise AssertionError("there is no end of reading")


def _found(index: Index) -> Facts:
    """All items that can be spelled, by a walk through all layers."""
    numbers: list[int] = []
    for kind in KINDS:
        side = index.snapshot.side(kind)
        if side is None:
            continue
        places: list[tuple[Positions, Leaves | None]] = [(side.layers.root, None)]
        while places:
            positions, _ = places.pop()
            for token in side.layers.allowed(positions).tolist():
                following = side.layers.step(positions, token)
                assert following is not None
                if token == side.layers.end:
                    numbers += side.layers.items_of(following[1])
                else:
                    places.append(following)
    items = index.snapshot.items(numbers)
    assert len(numbers) == len(set(numbers))
    return {item.id: item.caption for item in items}


@pytest.fixture(scope="module")
def built(
    trained: Path, corpus: Corpus, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Stored, ...]:
    """Bundles of a corpus, and of what has become of it."""
    folder = tmp_path_factory.mktemp("machine")
    some = [replace(picture, captions=picture.captions[:1]) for picture in corpus.pictures[:5]]
    changed = [*some[1:4], replace(some[4], captions=corpus.pictures[9].captions[:1])]
    stored = []
    for name, pictures in (("first", some[:4]), ("second", changed)):
        path = folder / name
        build_bundle(
            Corpus(name, corpus.image_root, pictures, []),
            path,
            BuildSettings(),
            like=trained / "bundle",
        )
        bind_bundle(path, trained / "model")
        index = Index(path)
        stored.append(Stored(path, _found(index), frozenset()))
        index.close()
    return tuple(stored)


@pytest.fixture
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is loaded twice, and no encoder at all."""
    load = cache(tokens.load_tokenizer)
    for module in (open_bundle, compaction):
        monkeypatch.setattr(module, "load_tokenizer", load)
    monkeypatch.setattr("offline.bundle.binding.load_tokenizer", load)
    monkeypatch.setattr(OpenBundle, "namer", _Namer())
    monkeypatch.setattr("semcore.journal.journal_file.flush", lambda _: None)


def _try(world: World, examples: int, steps: int) -> None:
    machine = type("TheMachine", (Machine,), {"world": world})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            print_blob=True,
        ),
    )


@pytest.mark.usefixtures("fast")
def test_nothing_is_lost_by_replicas(built: tuple[Stored, ...], redis_url: str) -> None:
    _try(World(built, redis_url), examples=25, steps=50)


@pytest.mark.usefixtures("fast")
def test_nothing_is_lost_without_redis(built: tuple[Stored, ...]) -> None:
    _try(World(built, None), examples=10, steps=30)


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.usefixtures("fast")
def test_nothing_is_lost_in_many_steps(built: tuple[Stored, ...], redis_url: str) -> None:
    _try(World(built, redis_url), examples=450, steps=100)
    _try(World(built, None), examples=50, steps=100)
