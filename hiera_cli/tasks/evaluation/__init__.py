"""Evaluation: predictions of a labelled data set, and what they say."""
