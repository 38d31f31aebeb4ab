"""The figures show what is in the bundle that they are drawn from."""

from pathlib import Path

import pytest
from matplotlib.figure import Figure

from docs.figures import draw_beams, draw_clusters, draw_identifier, draw_trie
from docs.subject import Subject, search
from semcore.identifiers.identifier import Identifier

QUERY = "two red boats at night"
BEAMS = 4


@pytest.fixture(scope="module")
def subject(trained: Path) -> Subject:
    return Subject(trained / "bundle")


def said(figure: Figure) -> list[str]:
    (axis,) = figure.axes
    return [text.get_text() for text in axis.texts]


def test_the_identifier_is_shown_with_what_it_was_made_of(subject: Subject) -> None:
    item = next(subject.store.of_split("test", "image"))
    identifier = Identifier.parse(item.identifier)
    told = said(draw_identifier(subject, item))
    assert {*identifier.lexical_id, f"<g{identifier.global_id}>"} <= set(told)
    first = subject.sources(item)[0]
    assert any(" ".join(text.split()).startswith(first) for text in told)


def test_every_cluster_with_pictures_is_named(subject: Subject) -> None:
    used = {identifier.split()[0] for identifier, _ in subject.store.identifiers("image")}
    assert {text.split()[0] for text in said(draw_clusters(subject))} == used


def test_the_tree_has_all_identifiers_of_the_cluster(subject: Subject) -> None:
    identifiers = {identifier for identifier, _ in subject.store.identifiers("image")}
    of_cluster = [one for one in identifiers if one.startswith("<g1> ")]
    told = said(draw_trie(subject, 1))
    assert len([text for text in told if text.endswith(("picture", "pictures"))]) == len(of_cluster)
    assert {one.split()[1] for one in of_cluster} <= set(told)


def test_beams_are_those_of_the_search(subject: Subject) -> None:
    trail = search(subject, QUERY, BEAMS)
    assert all(kept <= step.keys() for kept, step in zip(trail.kept, trail.steps, strict=True))
    assert len(trail.kept[0]) == BEAMS
    ends = [logprob for step in trail.steps for spelled, logprob in step.items()
            if spelled[-1] == subject.layers.end]  # fmt: skip
    for beam in trail.beams:
        assert any(beam.logprob == pytest.approx(end, abs=1e-4) for end in ends)
    assert all(subject.layers.items_of(beam.leaves) for beam in trail.beams)
    (axis,) = draw_beams(subject, QUERY).axes
    assert len(axis.images) == len(trail.beams) == BEAMS
