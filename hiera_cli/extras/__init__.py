"""Backends and schedulers from optional packages, imported inside functions only."""
