"""Tracks drawn on the frames of their video: boxes, what is in them, and what it does."""

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from hiera_cli.report.overlay import Picture
from hiera_cli.report.palette import colour_of, ink_on
from hiera_cli.tasks.detection.detect import TrackRecord, VideoTracks
from hiera_cli.tasks.detection.tracks import TimedBox, box_between

OPACITY = 110  # of masks, of 255


class TrackOverlay:
    """Draws the tracks of a video on its frames.

    Args:
        video: with its tracks.
        reach: seconds between two boxes of a track that it is drawn over.
    """

    def __init__(self, video: VideoTracks, *, reach: float) -> None:
        self._video, self._reach = video, reach

    def draw(self, seconds: float, picture: Picture) -> Picture:
        """The frame (H, W, 3) uint8 shown at a time, with the boxes of that time."""
        image = Image.fromarray(picture)
        size = max(9, picture.shape[0] // 24)
        font = ImageFont.load_default(size)
        found = ((t, box_between(t.boxes, seconds, reach=self._reach)) for t in self._video.tracks)
        seen = [(track, box) for track, box in found if box is not None]
        for track, box in seen:
            tint(image, track, box)
        draw = ImageDraw.Draw(image)
        for track, box in seen:
            self._draw_track(draw, font, track, box, size)
        return np.asarray(image)

    def _draw_track(
        self,
        draw: ImageDraw.ImageDraw,
        font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
        track: TrackRecord,
        box: TimedBox,
        size: int,
    ) -> None:
        colour = colour_of(track.track)
        draw.rectangle(box.corners, outline=colour, width=max(1, size // 6))
        top = box.y1
        for text in captions(track, box.time_seconds):
            left, upper, right, lower = draw.textbbox((box.x1 + 2, top + 1), text, font=font)
            draw.rectangle((left - 2, upper - 1, right + 2, lower + 2), fill=colour)
            draw.text((box.x1 + 2, top + 1), text, font=font, fill=ink_on(colour))
            top = lower + 2


def tint(image: Image.Image, track: TrackRecord, box: TimedBox) -> None:
    """Colour what belongs to the thing in a box, in place, by the mask nearest in time."""
    nearest = min(track.boxes, key=lambda other: abs(other.time_seconds - box.time_seconds))
    if nearest.mask is None:
        return
    mask = Image.fromarray(nearest.mask.to_array().astype(np.uint8) * OPACITY)
    x1, y1, x2, y2 = (round(value) for value in box.corners)
    size = (max(1, x2 - x1), max(1, y2 - y1))
    left, top, right, bottom = nearest.corners
    part = (max(left, 0.0), max(top, 0.0), min(right, mask.width), min(bottom, mask.height))
    image.paste(colour_of(track.track), (x1, y1), mask.resize(size, box=part))


def captions(track: TrackRecord, seconds: float) -> list[str]:
    """The lines beside a box: what it is and its number, then what it does at that time."""
    acting = [a for a in track.actions if a.start_seconds <= seconds < a.end_seconds]
    return [f"{track.label} {track.track}", *(f"{a.label} {a.score:.0%}" for a in acting)]
