"""``python -m cli`` is ``semcore``."""

from cli.main import app

app()
