"""The command line, whose services run on the fake engine."""

from functools import partial

from fake_engine import FakeEngine

import service.app
from cli.main import app

if __name__ == "__main__":
    service.app.create_app = partial(service.app.create_app, start_engine=FakeEngine)
    app()
