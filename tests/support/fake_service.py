"""The service with the fake engine in a process of its own: ``BUNDLE PORT SECONDS_A_BEAM``."""

import sys
from pathlib import Path

from fake_engine import FakeEngine

from service.app import create_app
from service.server import run
from service.settings import Settings


def slow_engine(model: Path, settings: Settings) -> FakeEngine:
    engine = FakeEngine(model, settings)
    engine.seconds_a_beam = float(sys.argv[3])
    return engine


if __name__ == "__main__":
    chosen = Settings(bundle=Path(sys.argv[1]), port=int(sys.argv[2]))
    run(create_app(chosen, slow_engine), chosen)
