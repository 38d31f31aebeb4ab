"""Documents of a client's own, ordered by how well they match a query."""
