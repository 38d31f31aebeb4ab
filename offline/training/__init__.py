"""Trains a model on a bundle, stage by stage."""
