"""The offline job: corpus → identifiers → bundle → trained model."""

import semcore.model.torchvision_shim  # noqa: F401  (before whatever imports transformers)
