"""Decoding in a child process, so that a file that hangs or crashes FFmpeg costs one child."""
