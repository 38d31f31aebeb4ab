"""Python runs this as it starts, in processes that inherit the path set by the shim."""

import semcore.model.torchvision_shim  # noqa: F401
