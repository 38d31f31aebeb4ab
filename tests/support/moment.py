"""Settings of a training that takes a moment."""

from dataclasses import replace

from offline.training import TINY

MOMENT = replace(TINY, align_epochs=1.0, epochs=2.0, gsv_queries=16, gsv_epochs=1.0)
