"""List files: every way in which people and tools write down labelled videos."""
