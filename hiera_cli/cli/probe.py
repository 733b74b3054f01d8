"""`hiera probe`: what is in a video file, and which frames a protocol would take."""

FLAGS: dict[str, object] = {}


def probe() -> int:
    """Show what is in video files."""
    raise NotImplementedError
