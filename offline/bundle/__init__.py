"""Builds bundles, binds a model to one, and compacts a journal into one."""
