"""What needs a model says that there is none."""

from typing import Any

import pytest

from semcore.errors import EngineError
from service.engine.no_engine import NoEngine
from service.engine.protocol import Prompt


async def test_it_is_well_and_answers_nothing() -> None:
    engine = NoEngine()
    await engine.check()
    side: Any = None
    for call in (engine.prompt, engine.spell, engine.say):
        with pytest.raises(EngineError, match="semcore train"):
            call("a boat")
    with pytest.raises(EngineError, match="no model"):
        engine.read(1)
    with pytest.raises(EngineError, match="no model"):
        await engine.find(Prompt(()), side, 1, constrained=True)
    with pytest.raises(EngineError, match="no model"):
        await engine.judge([])
    with pytest.raises(EngineError, match="no model"):
        await engine.choose(Prompt(()), 2)
    with pytest.raises(EngineError, match="no model"):
        await engine.weigh(Prompt(()), [])
    await engine.stop()
