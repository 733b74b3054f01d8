"""Timelines of one video as text that players, editors and Audacity read."""

from collections.abc import Callable

from hiera_cli.inputs import printable
from hiera_cli.tasks.timeline.timeline import VideoTimeline

EDL_FPS = 30
SHORTEST_CHAPTER_SECONDS = 10.0


def to_srt(video: VideoTimeline) -> str:
    """SubRip subtitles; times count from the first frame, as players do."""
    blocks = (
        f"{number}\n{_clock(start, ',')} --> {_clock(end, ',')}\n{_line(label)} {score:.0%}\n"
        for number, (start, end, label, score) in enumerate(_from_zero(video), start=1)
    )
    return "\n".join(blocks)


def to_vtt(video: VideoTimeline) -> str:
    """WebVTT subtitles (W3C); times count from the first frame."""
    blocks = (
        f"{_clock(start, '.')} --> {_clock(end, '.')}\n{_escaped(label)} {score:.0%}\n"
        for start, end, label, score in _from_zero(video)
    )
    return "\n".join(("WEBVTT\n", *blocks))


def to_audacity(video: VideoTimeline) -> str:
    """A label track of Audacity: start, end and label, separated by tabs."""
    return "".join(
        f"{start:.6f}\t{end:.6f}\t{_line(label)}\n" for start, end, label, _ in _from_zero(video)
    )


def to_youtube(video: VideoTimeline) -> str:
    """Chapters for a YouTube description: the first at 0:00, none shorter than ten seconds."""
    chapters: list[tuple[float, str]] = []
    for start, _, label, _ in _from_zero(video):
        if chapters and start - chapters[-1][0] < SHORTEST_CHAPTER_SECONDS:
            continue
        if not chapters or chapters[-1][1] != label:
            chapters.append((start if chapters else 0.0, label))
    length = video.info.duration_seconds
    if len(chapters) > 1 and length - chapters[-1][0] < SHORTEST_CHAPTER_SECONDS:
        chapters.pop()
    return "".join(f"{_short_clock(start)} {_line(label)}\n" for start, label in chapters)


def to_edl(video: VideoTimeline) -> str:
    """An edit decision list (CMX 3600): one event a segment, the label as its comment.

    Timecodes count 30 frames a second, or the video's own rate where that is a whole number.
    """
    fps = round(video.info.fps) if abs(video.info.fps - round(video.info.fps)) < 0.01 else EDL_FPS
    lines = ["TITLE: HIERA TIMELINE", "FCM: NON-DROP FRAME", ""]
    for number, (start, end, label, score) in enumerate(_from_zero(video), start=1):
        code = f"{_timecode(start, fps)} {_timecode(end, fps)}"
        lines.append(f"{number:03d}  AX       V     C        {code} {code}")
        lines += [
            f"* FROM CLIP NAME: {_line(video.path)}",
            f"* COMMENT: {_line(label)} {score:.2f}",
        ]
    return "\n".join((*lines, ""))


WRITERS: dict[str, Callable[[VideoTimeline], str]] = {
    "srt": to_srt,
    "vtt": to_vtt,
    "audacity": to_audacity,
    "youtube": to_youtube,
    "edl": to_edl,
}


def _from_zero(video: VideoTimeline) -> list[tuple[float, float, str, float]]:
    """(start, end, label, score) of the segments, counted from the first frame."""
    first = video.start_seconds
    return [
        (max(0.0, s.start_seconds - first), s.end_seconds - first, s.label, s.score)
        for s in video.segments
    ]


def _clock(seconds: float, point: str) -> str:
    milliseconds = round(seconds * 1000)
    minutes, rest = divmod(milliseconds, 60_000)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{rest // 1000:02d}{point}{rest % 1000:03d}"


def _short_clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def _timecode(seconds: float, fps: int) -> str:
    whole, frame = divmod(round(seconds * fps), fps)
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}:{frame:02d}"


def _line(text: str) -> str:
    """The text on one line, without characters that act on the format."""
    return printable(text).replace("-->", "->")


def _escaped(text: str) -> str:
    return _line(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
