"""Reads a corpus, and captions pictures that have no captions."""
