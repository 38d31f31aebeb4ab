"""Settings of a training that takes a moment, and of a service for what comes of it."""

from dataclasses import replace

from offline.training.presets import TINY

MOMENT = replace(TINY, align_epochs=1.0, epochs=2.0, image_repeats=4, gsv_queries=16)

SERVICE = {
    "SEMCORE_ADMIN_KEY": "secret",
    "SEMCORE_DTYPE": "float32",
    "SEMCORE_ENFORCE_EAGER": "1",
    "SEMCORE_ONE_PROCESS": "1",
    "SEMCORE_DRAIN_SECONDS": "0",
    "SEMCORE_CANARY_MARGIN": "1",
    "SEMCORE_LOG_LEVEL": "warning",
    "REDIS_URL": "",
}
