"""Routes, keys, bounds of requests, error responses and pages."""
