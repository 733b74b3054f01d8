"""Labelled data sets on disk: annotations, lists, class folders, splits and class names."""
