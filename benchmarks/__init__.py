"""Measurements, each run with ``python -m benchmarks.NAME`` and ended by one line of JSON."""

import service  # noqa: F401  (its shim for torchvision comes before whatever imports transformers)
