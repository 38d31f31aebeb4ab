"""Draws the demo's corpus."""
