"""What vLLM answers comes as it is, and what it raises as errors of the service."""

from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from PIL import Image

from semcore.errors import EngineError
from service.engine.protocol import Picture, Prompt
from service.engine.vllm_requests import VllmRequests, picture_lengths
from service.errors import InvalidQueryError

# What is imported of vLLM is deprecated in places.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

LONGEST = 50


class Llm:
    """Answers with the number of the prompt's tokens, or raises."""

    model_config = SimpleNamespace(max_model_len=LONGEST)

    def __init__(self) -> None:
        self.failure: Exception | None = None
        self.dead = False
        self.forgotten: list[str] = []
        self.renderer = SimpleNamespace(
            mm_processor_cache=SimpleNamespace(invalidate=self.forgotten.append)
        )

    async def generate(
        self, rendered: Any, params: Any, _name: str, *, lora_request: Any
    ) -> AsyncIterator[int]:
        assert params.temperature == 0
        assert lora_request is None
        if self.failure is not None:
            raise self.failure
        yield 0
        yield len(rendered["prompt_token_ids"])

    async def check_health(self) -> None:
        if self.dead:
            raise RuntimeError("killed")


@pytest.fixture
def llm() -> Llm:
    return Llm()


@pytest.fixture
def requests(llm: Llm) -> VllmRequests:
    return VllmRequests(llm)  # type: ignore[arg-type]


async def answered(requests: VllmRequests, tokens: int, room: int = 1) -> Any:
    rendered = await requests.rendered(Prompt(tuple(range(tokens))))
    assert picture_lengths(rendered) == []
    return await requests.answered(rendered, requests.params(max_tokens=1), room)


async def test_the_last_output_is_the_answer(requests: VllmRequests) -> None:
    assert await answered(requests, 7) == 7
    assert await answered(requests, LONGEST - 3, room=3) == LONGEST - 3


@pytest.mark.parametrize(("tokens", "room"), [(LONGEST, 1), (LONGEST - 3, 4), (2 * LONGEST, 1)])
async def test_what_has_no_room_is_refused(requests: VllmRequests, tokens: int, room: int) -> None:
    with pytest.raises(InvalidQueryError, match=r"the query is too long: .*SEMCORE_MAX_MODEL_LEN"):
        await answered(requests, tokens, room)


async def test_pictures_that_were_not_sent_are_sent_again(requests: VllmRequests, llm: Llm) -> None:
    rendered: Any = {
        "prompt_token_ids": list(range(LONGEST)),
        "mm_hashes": {"image": ["one", "two"]},
        "mm_placeholders": {"image": [SimpleNamespace(length=9), SimpleNamespace(length=12)]},
    }
    assert picture_lengths(rendered) == [9, 12]
    with pytest.raises(InvalidQueryError):
        await requests.answered(rendered, requests.params())
    assert llm.forgotten == ["one", "two"]


async def test_failures_are_told_apart(requests: VllmRequests, llm: Llm) -> None:
    llm.failure = ValueError("no such token")
    with pytest.raises(EngineError, match="refused the prompt: no such token"):
        await answered(requests, 3)
    llm.failure = RuntimeError("out of memory")
    with pytest.raises(EngineError, match="the engine failed: out of memory"):
        await answered(requests, 3)
    llm.dead = True
    with pytest.raises(EngineError, match=r"has died \(killed\); restart it"):
        await answered(requests, 3)
    with pytest.raises(EngineError, match="restart it"):
        await requests.check()


async def test_what_is_too_long_without_its_pictures_is_not_rendered(
    requests: VllmRequests,
) -> None:
    picture = Picture(Image.new("RGB", (8, 8)), "one")
    with pytest.raises(InvalidQueryError, match="too long"):
        await requests.rendered(Prompt(tuple(range(LONGEST)), (picture,)))


def test_a_picture_is_seen_once(llm: Llm) -> None:
    seen: list[Image.Image] = []

    def embed(images: list[Image.Image]) -> torch.Tensor:
        seen.extend(images)
        return torch.full((len(images), 2, 3), float(len(seen)))

    requests = VllmRequests(llm, embed)  # type: ignore[arg-type]
    image = Image.new("RGB", (8, 8))
    first = requests._seen(Picture(image, "one"))
    assert torch.equal(requests._seen(Picture(image, "one")), first)
    assert len(seen) == 1
    known = torch.ones(2, 3)
    assert requests._seen(Picture(None, "two", known)) is known
    for number in range(300):
        requests._seen(Picture(image, str(number)))
    requests._seen(Picture(image, "one"))  # put out by the others
    assert len(seen) == 302
