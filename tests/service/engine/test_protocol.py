"""A long prompt is made beside the event loop, a short one at once."""

import asyncio
import threading
from collections.abc import Sequence

import pytest
from PIL import Image

from service.engine.protocol import Picture, Prompt, prompt_aside

SHORT = 500  # characters


class Tokenising:
    """Says in which thread it made a prompt, and waits there until it may end."""

    def __init__(self) -> None:
        self.thread = 0
        self.may_end = threading.Event()
        self.may_end.set()

    def prompt(self, text: str, pictures: Sequence[Picture] = ()) -> Prompt:
        self.thread = threading.get_ident()
        assert self.may_end.wait(60)
        return Prompt(tuple(text.encode()), tuple(pictures))


@pytest.mark.parametrize(("length", "aside"), [(1, False), (SHORT, False), (SHORT + 1, True)])
async def test_a_long_text_leaves_the_thread_of_the_loop(length: int, aside: bool) -> None:
    engine = Tokenising()
    picture = Picture(Image.new("RGB", (8, 8)), "a key")
    found = await prompt_aside(engine, "x" * length, [picture])
    assert found == Prompt((ord("x"),) * length, (picture,))
    assert (engine.thread != threading.get_ident()) == aside


async def test_the_loop_goes_on_while_a_long_prompt_is_made() -> None:
    engine = Tokenising()
    engine.may_end.clear()
    making = asyncio.create_task(prompt_aside(engine, "x" * (SHORT + 1)))
    await asyncio.sleep(0.01)
    assert not making.done()
    engine.may_end.set()
    assert len((await making).tokens) == SHORT + 1


async def test_errors_of_the_engine_are_those_of_the_prompt() -> None:
    class Refusing:
        def prompt(self, text: str, pictures: Sequence[Picture] = ()) -> Prompt:
            raise ValueError("a prompt needs one placeholder for each picture")

    for length in (1, SHORT + 1):
        with pytest.raises(ValueError, match="placeholder"):
            await prompt_aside(Refusing(), "x" * length)
