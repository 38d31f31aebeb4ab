"""No acknowledged change is lost, no deleted item is found, and replicas that say they are in step
hold the same, whatever happens to replicas, bundles and Redis.

The changes are told and read by hand, so that each step is one of a kind that may come at any time.
The namer is a fake one, and nothing is searched: what can be found is read off the layers.
"""

import shutil
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
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
from replica_model import Facts, Namer, Replica, ReplicaModel, Stored, World, facts_of

from offline.bundle import compaction
from offline.bundle.binding import bind_bundle
from offline.bundle.build import BuildSettings, build_bundle
from offline.bundle.compaction import compact_bundle
from offline.corpus.corpus import Corpus
from semcore.identifiers import tokens
from service.errors import NotFoundError
from service.index import open_bundle
from service.index.index import Index
from service.index.open_bundle import OpenBundle
from service.schemas.admin import NewItem

IDS = [f"new {number}" for number in range(4)]
WORDS = ("boat", "dog", "night", "snow")


class Machine(ReplicaModel, RuleBasedStateMachine):
    """What may happen to replicas, at any time; and what holds then."""

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
        for _ in range(4):  # who reads may begin another stream
            for one in self._up():
                self._read(one)
                if not one.replication.lost:
                    self._tell(one)
        for one in self._up():
            self._read(one)
        sound = [one for one in self._up() if not one.replication.lost]
        for one in sound:
            assert one.journal.count_untold() == 0
        # A bundle that was compacted again without any change is the same, and holds more.
        by_bundle: dict[tuple[str, str], list[Replica]] = {}
        for one in sound:
            index = one.lifecycle.current
            by_bundle.setdefault((index.bundle.version, str(index.held)), []).append(one)
        for same in by_bundle.values():
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

    @precondition(lambda self: self.redis is not None and self.losses < 3)
    @rule()
    def lose_redis(self) -> None:
        assert self.redis is not None
        self.redis.flushall()
        self.losses += 1

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
                assert facts_of(one.lifecycle.current) == self._expected(one)

    @invariant()
    def those_in_step_agree(self) -> None:
        known: dict[str, Facts] = {}
        for one in self._up():
            if not one.replication.lost:
                found = facts_of(one.lifecycle.current)
                version = one.lifecycle.current.snapshot.version
                assert known.setdefault(version, found) == found

    def teardown(self) -> None:
        for one in self._up():
            self._stop(one)
        self.runner.close()
        shutil.rmtree(self.folder)


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
        stored.append(Stored(path, facts_of(index), frozenset()))
        index.close()
    return tuple(stored)


@pytest.fixture
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is loaded twice, and no encoder at all."""
    load = cache(tokens.load_tokenizer)
    for module in (open_bundle, compaction):
        monkeypatch.setattr(module, "load_tokenizer", load)
    monkeypatch.setattr("offline.bundle.binding.load_tokenizer", load)
    monkeypatch.setattr(OpenBundle, "namer", Namer())
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
