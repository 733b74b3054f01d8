"""Pictures of an explanation: what each view showed the model, and what the class rests on."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from hiera_cli.files import replacing
from hiera_cli.inputs import printable
from hiera_cli.report.palette import OKABE_ITO, rgb_of
from hiera_cli.report.ribbons import clock
from hiera_cli.tasks.explain import ExplainedView, Explanation

TILE, GAP, MARGIN, LINE, COLUMNS = 144, 4, 20, 26, 8
INK, FAINT, PAPER = "#1A1A1A", "#5F5F5F", "#FFFFFF"
FOR, AGAINST = rgb_of(OKABE_ITO[1]), rgb_of(OKABE_ITO[0])
Picture = npt.NDArray[np.uint8]


def draw_views(explained: Explanation, path: Path) -> None:
    """Write the contact sheet: a row a view, its frames with their times and its own top-1.

    Raises:
        OutputError: the file cannot be written.
    """
    _draw(explained, path, heat=False)


def draw_relevance(explained: Explanation, path: Path) -> None:
    """Write the same frames with what speaks for the class in orange, against it in blue.

    Raises:
        OutputError: the file cannot be written.
    """
    _draw(explained, path, heat=True)


def _draw(explained: Explanation, path: Path, *, heat: bool) -> None:
    font, small = ImageFont.load_default(18), ImageFont.load_default(14)
    row = LINE + TILE + LINE
    width = 2 * MARGIN + COLUMNS * (TILE + GAP)
    height = 2 * MARGIN + 2 * LINE + row * len(explained.views)
    sheet = Image.new("RGB", (width, height), PAPER)
    draw = ImageDraw.Draw(sheet)
    title = f"{printable(Path(explained.path).name)[:70]}: {explained.label} {explained.score:.1%}"
    draw.text((MARGIN, MARGIN), title, INK, font=font)
    note = "orange: without it the class is less probable; blue: more" if heat else "the views"
    draw.text((MARGIN, MARGIN + LINE), note, FAINT, font=small)
    largest = max(float(np.abs(view.relevance).max()) for view in explained.views) or 1.0
    top = MARGIN + 2 * LINE
    for view in explained.views:
        slot = view.slot
        name = f"clip {slot.clip.clip_index + 1}, crop {slot.crop_index + 1}"
        draw.text((MARGIN, top + 4), f"{name}: {view.label} {view.score:.1%}", INK, font=font)
        num = len(view.frames)
        for place, k in enumerate(np.linspace(0, num - 1, min(COLUMNS, num)).round().astype(int)):
            tile = _tile(view, int(k), largest if heat else None)
            left = MARGIN + place * (TILE + GAP)
            sheet.paste(tile, (left, top + LINE))
            seconds = clock(slot.clip.times_seconds[k], step=0.1)
            draw.text((left, top + LINE + TILE + 2), seconds, FAINT, font=small)
        top += row
    with replacing(path) as part:
        sheet.save(part, "PNG", optimize=True)


def _tile(view: ExplainedView, frame_index: int, largest: float | None) -> Image.Image:
    frame = Image.fromarray(view.frames[frame_index]).resize((TILE, TILE))
    if largest is None:
        return frame
    steps = len(view.relevance)
    values = view.relevance[frame_index * steps // len(view.frames)] / largest
    small = Image.fromarray(values.astype(np.float32), mode=None)
    field = np.asarray(small.resize((TILE, TILE), Image.Resampling.BILINEAR))
    gray = np.asarray(frame.convert("L").convert("RGB"), dtype=np.float32)
    colour = np.where(field[..., None] >= 0, FOR, AGAINST)
    weight = 0.75 * np.abs(field)[..., None].clip(0, 1)
    return Image.fromarray((gray * (1 - weight) + colour * weight).astype(np.uint8))
