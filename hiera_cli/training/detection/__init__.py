"""Training of detectors: of objects in pictures, and of actions in videos."""
