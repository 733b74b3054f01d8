"""Rendered videos: made-up places, things that move in them, and the camera that films them."""
