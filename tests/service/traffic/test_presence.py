"""Those who always wait get what the work gives."""

import pytest

from service.traffic.presence import present


async def test_waits_until_the_end() -> None:
    async def work(fails: bool) -> str:
        if fails:
            raise ValueError("bad")
        return "done"

    assert await present(work(fails=False)) == "done"
    with pytest.raises(ValueError, match="bad"):
        await present(work(fails=True))
