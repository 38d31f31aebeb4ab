"""The files of a bundle: manifest, items, calibration, canary queries, picture table."""
