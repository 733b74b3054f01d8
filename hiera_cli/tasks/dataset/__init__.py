"""A look at a labelled data set before anything is computed on it; no model, no torch."""
