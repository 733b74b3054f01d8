"""Tiny clips in every container and codec that can be written here, as raw material for damage."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import av.error

from tests.media import SHARED, write_clip

SIZE = (64, 48)
MAX_SHARED_BYTES = 40_000
QUIET = {"libx265": {"x265-params": "log-level=none"}}


@dataclass(frozen=True)
class Recipe:
    """How a clip is written: suffix, and FFmpeg's names of encoder, pixel format and muxer."""

    suffix: str
    codec: str
    pixel_format: str = "yuv420p"
    container: str | None = None
    container_options: tuple[tuple[str, str], ...] = ()
    size: tuple[int, int] = SIZE
    audio_seconds: float = 0.0


FRAGMENTED = (("movflags", "frag_keyframe+empty_moov"),)
RECIPES = (
    Recipe("mp4", "libx264"),
    Recipe("mp4", "libx264", audio_seconds=0.5),
    Recipe("mp4", "libx264", container_options=FRAGMENTED),
    Recipe("mp4", "libx265"),
    Recipe("mp4", "mpeg4"),
    Recipe("mp4", "libsvtav1", size=(64, 64)),
    Recipe("mov", "mjpeg", "yuvj420p"),
    Recipe("mov", "qtrle", "rgb24"),
    Recipe("mov", "prores_ks", "yuv422p10le"),
    Recipe("mov", "png", "rgb24"),
    Recipe("3gp", "h263", size=(128, 96)),
    Recipe("mkv", "libx264", audio_seconds=0.5),
    Recipe("mkv", "libx265"),
    Recipe("mkv", "ffv1"),
    Recipe("webm", "libvpx-vp9"),
    Recipe("webm", "libvpx"),
    Recipe("avi", "mpeg4"),
    Recipe("avi", "mjpeg", "yuvj420p"),
    Recipe("avi", "msmpeg4v2"),
    Recipe("avi", "libx264"),
    Recipe("avi", "huffyuv", "yuv422p"),
    Recipe("ts", "libx264"),
    Recipe("ts", "mpeg2video", audio_seconds=0.5),
    Recipe("ts", "libx265"),
    Recipe("mpg", "mpeg1video"),
    Recipe("vob", "mpeg2video"),
    Recipe("flv", "flv"),
    Recipe("flv", "libx264"),
    Recipe("wmv", "wmv2", container="asf"),
    Recipe("rm", "rv20"),
    Recipe("mxf", "mpeg2video"),
    Recipe("nut", "libx264"),
    Recipe("ivf", "libvpx-vp9"),
    Recipe("gif", "gif", "rgb8"),
    Recipe("apng", "apng", "rgb24"),
    Recipe("h264", "libx264"),
    Recipe("hevc", "libx265"),
    Recipe("m4v", "mpeg4", container="m4v"),
    Recipe("mjpeg", "mjpeg", "yuvj420p"),
    Recipe("y4m", "wrapped_avframe"),
)


def tiny_clips(folder: Path, *, num_frames: int = 20) -> Iterator[tuple[str, bytes]]:
    """Name and content of a clip for every recipe that this FFmpeg can carry out."""
    for index, recipe in enumerate(RECIPES):
        path = folder / f"{index:02d}_{recipe.codec}.{recipe.suffix}"
        try:
            write_clip(
                path,
                num_frames,
                25,
                recipe.size,
                recipe.codec,
                options=QUIET.get(recipe.codec),
                gop=8,
                pixel_format=recipe.pixel_format,
                container=recipe.container,
                container_options=dict(recipe.container_options),
                audio_seconds=recipe.audio_seconds,
            )
        except (av.error.FFmpegError, ValueError):  # an encoder or muxer that is not built in
            continue
        finally:
            _leave_real_time()
        yield path.name, path.read_bytes()


def _leave_real_time() -> None:
    """SVT-AV1 makes the calling thread real-time where it may; children would inherit that."""
    if hasattr(os, "sched_setscheduler"):
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def shared_clips() -> Iterator[tuple[str, bytes]]:
    """Name and content of the small files of the shared collection, where there is one."""
    for path in sorted((SHARED / "odd").glob("*")):
        if 0 < path.stat().st_size <= MAX_SHARED_BYTES:
            yield path.name, path.read_bytes()
