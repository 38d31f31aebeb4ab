"""Replicas that tell and read their changes by hand, and what each of them should hold."""

import asyncio
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import redis
import redis.asyncio

from semcore.errors import BundleError
from semcore.identifiers.identifier import Identifier
from semcore.journal.journal import Journal
from semcore.kind import KINDS
from semcore.trie.layers import Leaves, Positions
from service.index.index import Index
from service.living.change_stream import Epoch
from service.living.item_writer import Writer
from service.living.reload import Lifecycle
from service.living.replication import Replication
from service.settings import Settings

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
    """A replica as it is, and the places of the changes that it should know.

    Attributes:
        settled: those that it has read in the stream, or had from its bundle.
        pending: what it has changed and not told yet.
        epoch: the name of the stream that it has read last.
    """

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
    epoch: str = ""
    is_up: bool = False


class Namer:
    """Names items without an encoder."""

    def name(self, _kind: str, captions: list[str]) -> Identifier:
        return Identifier(1, tuple(captions[0].split()))


@dataclass(frozen=True)
class World:
    """What all runs share: corpora that bundles are built from, and a Redis."""

    bundles: tuple[Stored, ...]
    url: str | None


class ReplicaModel:
    """The replicas of one run, and what each of them should hold.

    Attributes:
        order: all changes that were told, in the order that they got.
        streams: their places, as they were told in each stream, by its name.
        bases: of each stream the places that the bundle held of the replica that began it.
        losses: how often Redis was lost.
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
        self.streams: dict[str, set[int]] = {}
        self.bases: dict[str, frozenset[int]] = {}
        self.losses = 0
        self.replicas: list[Replica] = []
        self.stored = list(self.world.bundles)
        self.numbers = iter(range(10**9))

    def _run(self, work: Any) -> Any:
        return self.runner.run(work)

    def _up(self) -> list[Replica]:
        return [one for one in self.replicas if one.is_up]

    def _sound(self) -> list[Replica]:
        current = self._current()
        return [one for one in self._up() if not one.replication.lost and one.epoch == current]

    def _current(self) -> str:
        """The name of the stream in Redis."""
        found: Any = self.redis.get("semcore:epoch") if self.redis is not None else None
        return Epoch.model_validate_json(found).text if found else "none"

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
        if one.replication.lost:
            return
        assert one.replication._epoch is not None
        name = one.replication._epoch.text
        stream = self.streams.setdefault(name, set())
        base = self.bases.setdefault(name, one.bundle.held)
        if one.epoch and one.epoch != name:  # what its base lacks is told once more
            stream |= one.known - base
        one.epoch = name
        one.known |= stream | one.bundle.held
        one.settled = set(one.known)

    def _tell(self, one: Replica) -> None:
        if one.replication._epoch is None or one.epoch != self._current():
            return
        self._run(one.replication._tell_all())
        for change in one.pending:
            place = len(self.order)
            self.order.append(change)
            one.known.add(place)
            self.streams[one.epoch].add(place)
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


def facts_of(index: Index) -> Facts:
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
