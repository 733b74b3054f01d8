"""A map of clips as a picture: one dot a clip, coloured by its group."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from hiera_cli.files import replacing
from hiera_cli.report.palette import colour_of, ink_on

SIZE, MARGIN, DOT = 1200, 40, 4


def draw_map(places: npt.NDArray[np.float32], groups: Sequence[int], path: Path) -> None:
    """Write a PNG with a dot at each of the places (N, 2) in -1..1, and each group's number.

    Raises:
        OutputError: the file cannot be written.
    """
    image = Image.new("RGB", (SIZE, SIZE), "#FFFFFF")
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(22)
    spots = MARGIN + (places * (1, -1) + 1) / 2 * (SIZE - 2 * MARGIN)
    order = sorted(set(groups))
    for (x, y), group in zip(spots, groups, strict=True):
        box = (x - DOT, y - DOT, x + DOT, y + DOT)
        draw.ellipse(box, fill=colour_of(order.index(group)), outline="#FFFFFF")
    owners = np.array(groups)
    for group in order:
        x, y = np.median(spots[owners == group], axis=0)
        fill = colour_of(order.index(group))
        box = draw.textbbox((x, y), str(group), font=font, anchor="mm")
        draw.rectangle((box[0] - 5, box[1] - 5, box[2] + 5, box[3] + 5), fill=fill, outline="#000")
        draw.text((x, y), str(group), fill=ink_on(fill), font=font, anchor="mm")
    with replacing(path) as part:
        image.save(part, "PNG", optimize=True)
