"""Measures what a service finds, and why it does not find the rest."""
