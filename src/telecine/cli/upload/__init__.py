"""`telecine upload`: a client of the public API like any other."""
