"""Gives identifiers to all items of a corpus."""
