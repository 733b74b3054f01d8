"""Detectors at work, of objects and of actions, and the figures they are judged by."""
