"""Benchmarks: where the time goes, against what else there is."""
