"""The model sees what a viewer shows, whatever mode, depth, format, orientation and damage."""

from collections import Counter

import numpy as np
import pytest
from browser_eyes import seen_by_chromium
from samples import KINDS, sample

from semcore.errors import PictureError
from semcore.pictures.picture import open_picture

_MOST = 40  # by which a single sample may differ, at a sharp edge in a lossy format


@pytest.mark.filterwarnings("ignore:.*:UserWarning:PIL")  # of what is odd in damaged files
@pytest.mark.parametrize(
    "count", [8 * len(KINDS), pytest.param(1000, marks=pytest.mark.slow)], ids=["some", "1000"]
)
async def test_sees_what_a_viewer_shows(count: int) -> None:
    samples = [sample(number) for number in range(count)]
    seen = await seen_by_chromium([one.content for one in samples])
    tally: Counter[str] = Counter()
    wrong = []
    for number, (one, browsers) in enumerate(zip(samples, seen, strict=True)):
        try:
            found = np.asarray(open_picture(one.content)).astype(int)
        except PictureError as error:
            tally["refused"] += 1
            if not one.refusable:
                wrong.append(f"{number} {one.kind}: refused, {error}")
            continue
        shown = browsers if one.shown is None else one.shown
        if shown is None or not one.is_judged:
            tally["no judge"] += 1
            if not one.refusable:
                wrong.append(f"{number} {one.kind}: shown, which a browser does not")
            continue
        tally["browser" if one.shown is None else "arithmetic"] += 1
        if found.shape != shown.shape:
            wrong.append(f"{number} {one.kind}: {found.shape} in place of {shown.shape}")
            continue
        apart = np.abs(found - shown.astype(int))
        if apart.mean() > one.tolerance or apart.max() > _MOST:
            wrong.append(f"{number} {one.kind}: {apart.mean():.1f} apart, {apart.max()} at most")
    print(dict(tally))
    assert wrong == []
    assert tally["browser"] > count / 2
    assert tally["arithmetic"] > count / 8
    assert 0 < tally["refused"] < count / 8
