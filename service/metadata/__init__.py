"""What answers do with the metadata of items: counts, groups and orders."""
