"""Following what is where in videos: tracks, and what they do."""
