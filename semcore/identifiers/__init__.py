"""Structured identifiers: Global ID, Lexical ID, their tokens, and how items are named."""
