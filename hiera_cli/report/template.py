"""Pages that hold their data as JSON and need nothing but a browser."""

import base64
import io
import json
from importlib.resources import files
from typing import Any

from PIL import Image

JPEG_QUALITY = 70


PARTS = {"__HEAD__": "head.html", "__SHARED__": "shared.js"}


def fill_template(name: str, data: Any) -> str:
    """A page of `report/templates` with the parts that pages share and its data put in.

    Text in the data cannot become markup.
    """
    page = _template(name)
    for place, part in PARTS.items():
        page = page.replace(place, _template(part), 1)
    return page.replace("__DATA__", as_script(data), 1)


def _template(name: str) -> str:
    return files("hiera_cli.report").joinpath("templates", name).read_text(encoding="utf-8")


def as_script(data: Any) -> str:
    """JSON that may stand in a script element."""
    text = json.dumps(data, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028")


def jpeg_uri(image: Image.Image) -> str:
    """A picture as a JPEG data URI."""
    memory = io.BytesIO()
    image.save(memory, "JPEG", quality=JPEG_QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(memory.getvalue()).decode("ascii")
