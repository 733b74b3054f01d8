"""Heads fitted to features that stay as they are, and which of them is best."""
