"""Refusal: searches that want no item rather than one that is hardly right."""
