"""The guide's search: of all that may be found, the items nearest to a vector."""
