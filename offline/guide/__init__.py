"""The guide of a bundle: vectors of its items, and what a model learns for it."""
