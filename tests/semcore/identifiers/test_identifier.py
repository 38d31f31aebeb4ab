"""Identifiers go to text and back."""

import pytest

from semcore.identifiers.identifier import Identifier, global_token


@pytest.mark.parametrize("words", [(), ("boat",), ("boat", "red", "night", "two"), ("café",)])
def test_text_and_back(words: tuple[str, ...]) -> None:
    identifier = Identifier(17, words)
    assert identifier.text == " ".join([global_token(17), *words])
    assert Identifier.parse(identifier.text) == identifier


@pytest.mark.parametrize("text", ["boat red", "8 3 9", "<c0_5> <c1_2> 7"])
def test_other_schemes_have_no_cluster(text: str) -> None:
    identifier = Identifier.parse(text)
    assert identifier.global_id is None
    assert identifier.text == text


@pytest.mark.parametrize("text", ["", "<g>", "<g1>boat", "<g1>  boat", "<g1> <g2>"])
def test_refuses_what_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="no identifier"):
        Identifier.parse(text)
