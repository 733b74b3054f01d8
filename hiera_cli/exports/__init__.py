"""Models in other runtimes: the variants, and for each how it is written and opened."""
