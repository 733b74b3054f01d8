"""A classifier's head on features that stay as they are, with what to expect of it."""
