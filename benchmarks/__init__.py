"""Measurements, each run with ``python -m benchmarks.NAME`` and ended by one line of JSON."""
