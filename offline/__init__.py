"""The offline job: corpus → identifiers → bundle → trained model."""

from semcore.bars import quieten_libraries

quieten_libraries()

import semcore.model.torchvision_shim  # noqa: E402, F401  (before whatever imports transformers)
