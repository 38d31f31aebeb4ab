"""Layouts of corpora, one a module: each finds its files in a folder and tells their rows."""
