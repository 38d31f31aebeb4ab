"""Typed errors. Each message says what is wrong and how to mend it."""


class SemcoreError(Exception):
    """Base of all errors that this product raises on purpose."""


class CorpusError(SemcoreError):
    """The corpus cannot be read, or holds bad rows under ``--strict``."""


class BundleError(SemcoreError):
    """The index bundle is missing, damaged, half written or of another format."""


class ModelError(SemcoreError):
    """The model is missing or does not fit the bundle."""


class JournalError(SemcoreError):
    """The journal of changes cannot be read or written."""


class EngineError(SemcoreError):
    """The inference engine failed or is not running."""


class EngineVersionError(EngineError):
    """The version of the inference engine lacks what the product builds on."""


class PictureError(SemcoreError):
    """The file is missing, damaged, or no picture of a format that is taken."""


class LargePictureError(PictureError):
    """The picture has more pixels than are taken."""
