"""Answers and other results that are kept: in Redis, in the process, and for a time."""
