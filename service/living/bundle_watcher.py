"""Watching the bundle's folder: what is built in its place is served without being asked to."""

from __future__ import annotations

import asyncio
import logging

from semcore.bundle.bundle import read_manifest
from semcore.errors import BundleError
from service.errors import ReloadError
from service.living.reload import Lifecycle

_log = logging.getLogger("semcore")


async def watch_bundle(lifecycle: Lifecycle, seconds: float) -> None:
    """Look every ``seconds``, and reload where the bundle has become another one; for good.

    A bundle that was refused is not tried again until it changes.
    """
    refused = ""
    while True:
        await asyncio.sleep(seconds)
        current = lifecycle.current
        try:
            version = (await asyncio.to_thread(read_manifest, current.bundle.path)).version
            if version in (current.bundle.version, refused):
                continue
            refused = version
            await lifecycle.reload(None)
        except BundleError as error:  # it may be replaced at this moment
            _log.warning("watching %s: %s", current.bundle.path, error)
        except ReloadError:
            continue  # the lifecycle has said why
        except Exception:  # nobody reads what a task ends with
            _log.exception("watching %s", current.bundle.path)
