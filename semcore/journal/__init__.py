"""Changes of items that a bundle does not hold yet."""
