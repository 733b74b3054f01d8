"""Paths in, one result a video out: loading, batching, running a model, averaging its views."""
