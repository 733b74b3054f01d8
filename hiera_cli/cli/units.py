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


def counted(number: int, noun: str, *, be: bool = False) -> str:
    """A count and its noun: `1 video`, `2 classes`; with `be`, `1 video is`, `2 videos are`."""
    plural = noun + ("es" if noun.endswith("s") else "s")
    return f"1 {noun}{' is' * be}" if number == 1 else f"{number} {plural}{' are' * be}"
