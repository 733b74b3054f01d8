"""Numbers with their units, as people read them."""


def size(num_bytes: float) -> str:
    """Bytes, three digits."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if num_bytes < 1000:
            return f"{num_bytes:.3g} {unit}"
        num_bytes /= 1000
    return f"{num_bytes:.3g} PB"


def duration(seconds: float) -> str:
    """Hours, minutes and seconds, as 12:03:04."""
    if seconds == float("inf"):
        return "never"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}"
