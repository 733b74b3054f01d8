"""Finding clips in a table of features: like this one, twice the same, in groups."""
