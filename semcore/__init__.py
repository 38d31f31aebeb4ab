"""What the offline job and the online service share: identifiers, tries, prompts, bundles."""

__version__ = "0.1.0"
