"""Feature extraction: vectors of clips, and the table that they go into."""
