"""The online side: queries to ranked items, over HTTP."""

import semcore.model.torchvision_shim  # noqa: F401  (before whatever imports transformers or vLLM)
