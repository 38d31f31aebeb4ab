"""One search: request, beams, candidates, verification, answer."""
