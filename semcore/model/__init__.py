"""What both sides know of a model: prompts, adapter, frozen vision, fingerprint."""
