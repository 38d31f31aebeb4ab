"""vLLM for tests, with room for little, so that what is asked has to wait and is cut.

What vLLM imports is deprecated in places, and what it opens is left to the garbage collector, which
is called before a test ends: mark modules with :data:`STARTS_VLLM`.
"""

import gc
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from moment import SERVICE

from service.engine.vllm_engine import VllmEngine
from service.index.index import Index
from service.settings import Settings

LONGEST = 96
"""Tokens of a prompt with its answer."""
STARTS_VLLM = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@asynccontextmanager
async def small_engine(index: Index, rows: int, **arguments: Any) -> AsyncIterator[VllmEngine]:
    """On the model of an index, with so many rows in a batch.

    Args:
        arguments: more of vLLM's.
    """
    settings = Settings(
        bundle=Path(),
        max_batch=rows,
        max_beam_width=rows,
        max_model_len=LONGEST,
        leaf_limit=0,
    )
    with pytest.MonkeyPatch.context() as patch:
        for name, value in SERVICE.items():
            patch.setenv(name, value)
        assert index.bundle.model is not None
        engine = VllmEngine.start(
            index.bundle.model, settings, enable_chunked_prefill=True, **arguments
        )
        try:
            yield engine
        finally:
            await engine.stop()
            os.environ.pop("VLLM_ENABLE_V1_MULTIPROCESSING", None)
            del engine
            gc.collect()
