"""Remakes the paper's tables, with all rivals."""
