"""A timeline drawn on the frames of its video: label, score, and a ribbon that fills up."""

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from hiera_cli.report.palette import OTHERS, ink_on
from hiera_cli.report.ribbons import rows_of
from hiera_cli.tasks.timeline.segments import Segment
from hiera_cli.tasks.timeline.timeline import VideoTimeline

Picture = npt.NDArray[np.uint8]
MAX_LABELS = 4


class Overlay:
    """Draws the labels of a video on its frames.

    Args:
        video: what happens when.
    """

    def __init__(self, video: VideoTimeline) -> None:
        self._video = video
        rows = rows_of(video, limit=len(video.labels))
        self._colours = {row.label: row.colour for row in rows}
        self._ribbon: Image.Image | None = None

    def draw(self, seconds: float, picture: Picture) -> Picture:
        """The frame (H, W, 3) uint8 shown at a time, with what holds then."""
        image = Image.fromarray(picture)
        height = picture.shape[0]
        size = max(9, round(height / 18))
        draw = ImageDraw.Draw(image)
        font = ImageFont.load_default(size)
        top = size // 3
        for segment in self._holding(seconds)[:MAX_LABELS]:
            top = self._write(draw, font, segment, seconds, top=top, width=image.width)
        self._draw_ribbon(image, seconds)
        return np.asarray(image)

    def _holding(self, seconds: float) -> list[Segment]:
        return [s for s in self._video.segments if s.start_seconds <= seconds < s.end_seconds]

    def _write(
        self,
        draw: ImageDraw.ImageDraw,
        font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
        segment: Segment,
        seconds: float,
        *,
        top: int,
        width: int,
    ) -> int:
        """A label with its score in a box of its colour; returns where the next one goes."""
        colour = self._colours[segment.label]
        index = self._video.labels.index(segment.label)
        score = float(self._video.series.at(seconds)[index])
        number = f"  {score:.0%}"
        left = max(2, round(draw.textlength("n", font=font) / 2))
        text = _fitted(draw, font, segment.label, number, width - 4 * left)
        box = draw.textbbox((2 * left, top + left // 2), text, font=font)
        bottom = round(box[3]) + left
        draw.rectangle((left, top, round(box[2]) + left, bottom), fill=colour)
        draw.text((2 * left, top + left // 2), text, font=font, fill=ink_on(colour))
        return bottom + left

    def _draw_ribbon(self, image: Image.Image, seconds: float) -> None:
        """All segments along the bottom; what is still to come is dimmed."""
        width, height = image.size
        thick = max(4, height // 40)
        if self._ribbon is None or self._ribbon.size != (width, thick):
            self._ribbon = self._make_ribbon(width, thick)
        start, end = self._video.start_seconds, self._video.end_seconds
        now = round(width * (seconds - start) / max(end - start, 1e-6))
        image.paste(self._ribbon, (0, height - thick))
        coming = (now, height - thick, width, height)
        if now < width:
            image.paste(Image.eval(image.crop(coming), _dimmed), coming[:2])
        draw = ImageDraw.Draw(image)
        draw.rectangle((now - 1, height - thick - 2, now + 1, height), fill="#FFFFFF")

    def _make_ribbon(self, width: int, thick: int) -> Image.Image:
        ribbon = Image.new("RGB", (width, thick), OTHERS)
        draw = ImageDraw.Draw(ribbon)
        start = self._video.start_seconds
        scale = width / max(self._video.end_seconds - start, 1e-6)
        for segment in self._video.segments:
            left = round((segment.start_seconds - start) * scale)
            right = round((segment.end_seconds - start) * scale) - 1
            draw.rectangle((left, 0, right, thick), fill=self._colours[segment.label])
        return ribbon


def _dimmed(value: int) -> int:
    return value * 2 // 5


def _fitted(
    draw: ImageDraw.ImageDraw,
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
    label: str,
    number: str,
    room: int,
) -> str:
    """Label and number, the label shortened until both fit."""
    text = label + number
    while len(label) > 3 and draw.textlength(text, font=font) > room:
        label = label[:-2].rstrip("…") + "…"
        text = label + number
    return text
