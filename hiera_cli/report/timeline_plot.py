"""Timelines as a picture: thumbnails, a ribbon a class, and how sure the model was."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from hiera_cli.files import replacing
from hiera_cli.inputs import printable
from hiera_cli.report.palette import rgb_of
from hiera_cli.report.ribbons import Row, clock, rows_of, spread_times, tick_seconds
from hiera_cli.tasks.timeline.timeline import VideoTimeline
from hiera_cli.video.info import DEFAULT_LIMITS, Limits
from hiera_cli.video.stills import read_stills

WIDTH, MARGIN, ROW, GAP = 1600, 24, 34, 8
THUMB_HEIGHT, THUMB_GAP = 96, 4
INK, FAINT, GRID, PAPER, LANE = "#1A1A1A", "#5F5F5F", "#D5D5D5", "#FFFFFF", "#F1F1F1"
Picture = npt.NDArray[np.uint8]


def draw_timelines(
    videos: Sequence[VideoTimeline], path: Path, *, limits: Limits = DEFAULT_LIMITS
) -> None:
    """Write the timelines, one under the other, as PNG.

    A row's bar says when the class holds; the line in it is the class's score, 0 to 1.

    Raises:
        OutputError: the file cannot be written.
    """
    panels = [_draw_panel(video, limits) for video in videos]
    height = sum(panel.height for panel in panels) or ROW
    sheet = Image.new("RGB", (WIDTH, height), PAPER)
    top = 0
    for panel in panels:
        sheet.paste(panel, (0, top))
        top += panel.height
    with replacing(path) as part:
        sheet.save(part, "PNG", optimize=True)


def _draw_panel(video: VideoTimeline, limits: Limits) -> Image.Image:
    rows = rows_of(video)
    font, small = ImageFont.load_default(19), ImageFont.load_default(16)
    probe = ImageDraw.Draw(Image.new("RGB", (1, 1)))
    longest = max((probe.textlength(row.label, font=font) for row in rows), default=0)
    left = MARGIN + min(round(longest), 420) + 16
    height = MARGIN + 34 + THUMB_HEIGHT + GAP + len(rows) * (ROW + GAP) + 34 + MARGIN
    panel = Image.new("RGB", (WIDTH, height), PAPER)
    draw = ImageDraw.Draw(panel)
    title = f"{printable(video.path)}   {clock(video.info.duration_seconds)}"
    draw.text((MARGIN, MARGIN), _cut(draw, title, WIDTH - 2 * MARGIN, font), INK, font=font)
    top = MARGIN + 34
    _paste_thumbnails(panel, video, left, top, limits)
    top += THUMB_HEIGHT + GAP
    bottom = top + len(rows) * (ROW + GAP)
    _draw_ticks(draw, video, (left, top, bottom), small)
    for row in rows:
        draw.rectangle((left, top, WIDTH - MARGIN, top + ROW), fill=LANE)
        label = _cut(draw, row.label, left - MARGIN - 12, font)
        draw.text((left - 12, top + ROW // 2), label, INK, font=font, anchor="rm")
        _draw_row(draw, video, row, left, top)
        top += ROW + GAP
    return panel


def _draw_row(
    draw: ImageDraw.ImageDraw, video: VideoTimeline, row: Row, left: int, top: int
) -> None:
    start, end = video.start_seconds, video.end_seconds
    scale = (WIDTH - MARGIN - left) / max(end - start, 1e-6)
    for segment in row.segments:
        x0 = left + (segment.start_seconds - start) * scale
        x1 = left + (segment.end_seconds - start) * scale
        draw.rectangle((x0, top, max(x0 + 1, x1 - 1), top + ROW), fill=rgb_of(row.colour))
    series = video.series
    points = [
        (left + (seconds - start) * scale, top + ROW - 3 - (ROW - 6) * float(score))
        for seconds, score in zip(series.times_seconds, series.scores[:, row.index], strict=True)
    ]
    if len(points) > 1:
        draw.line(points, fill=PAPER, width=4)
        draw.line(points, fill=INK, width=2)


def _draw_ticks(
    draw: ImageDraw.ImageDraw,
    video: VideoTimeline,
    box: tuple[int, int, int],
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
) -> None:
    left, top, bottom = box
    start, length = video.start_seconds, max(video.info.duration_seconds, 1e-6)
    step = tick_seconds(length)
    scale = (WIDTH - MARGIN - left) / length
    for k in range(int(length / step + 1e-9) + 1):
        x = left + k * step * scale
        draw.line((x, top, x, bottom), fill=GRID, width=1)
        anchor = "la" if k == 0 else "ra" if x > WIDTH - MARGIN - 30 else "ma"
        text = clock(start + k * step, step=step)
        draw.text((x, bottom + 4), text, FAINT, font=font, anchor=anchor)


def _paste_thumbnails(
    panel: Image.Image, video: VideoTimeline, left: int, top: int, limits: Limits
) -> None:
    """As many frames as fit beside each other, each over the time that it is from."""
    room = WIDTH - MARGIN - left
    info = video.info
    width = max(24, min(round(THUMB_HEIGHT * info.width / max(info.height, 1)), room))
    num = max(1, room // (width + THUMB_GAP))
    times = spread_times(video.start_seconds, video.end_seconds, num)
    for place, (_, picture) in enumerate(read_stills(video.path, times, limits=limits)):
        thumb = shrunk(picture, width, THUMB_HEIGHT)
        x = left + round(room * (place + 0.5) / num - width / 2)
        panel.paste(thumb, (x, top))


def shrunk(picture: Picture, width: int, height: int) -> Image.Image:
    """A frame (H, W, 3) uint8 at exactly that size."""
    image = Image.fromarray(picture)
    return image.resize((width, height), Image.Resampling.BOX, reducing_gap=2.0)


def _cut(
    draw: ImageDraw.ImageDraw,
    text: str,
    room: float,
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
) -> str:
    """The text, shortened at its end until it fits."""
    while len(text) > 2 and draw.textlength(text, font=font) > room:
        text = text[:-2].rstrip("…") + "…"
    return text
