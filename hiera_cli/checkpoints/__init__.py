"""Weights on disk and on the network: found, downloaded, checked, opened without trust."""
