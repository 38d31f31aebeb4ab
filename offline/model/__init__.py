"""Backbones: how they are made, loaded, adapted and saved."""
