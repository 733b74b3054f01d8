"""A folder with one page that shows all clips of a table on a map; opens from the disk."""

from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

from PIL import Image

from hiera_cli.files import replacing, write_text
from hiera_cli.inputs import printable
from hiera_cli.report.palette import OKABE_ITO
from hiera_cli.report.template import as_script, fill_template
from hiera_cli.report.timeline_page import link_to
from hiera_cli.tasks.search.atlas import Atlas
from hiera_cli.tasks.search.rows import find_video
from hiera_cli.video.stills import read_stills

CELL_WIDTH, CELL_HEIGHT, SIDE = 96, 72, 20
SHEET_QUALITY = 72


def write_explore_page(
    atlas: Atlas, folder: Path, *, title: str, made: Mapping[str, Any], root: str | None
) -> Iterator[str]:
    """Write index.html, data.js and sheets of thumbnails; yields every video as it is done.

    Args:
        atlas: the clips.
        folder: made if it is not there.
        title: the heading.
        made: metadata of the table.
        root: where the videos are now; None: where they were.

    Raises:
        OutputError: something cannot be written.
    """
    (folder / "sheets").mkdir(parents=True, exist_ok=True)
    videos = {clip.path: find_video(clip.path, made, root) for clip in atlas.clips}
    sheets = _Sheets(folder / "sheets")
    index = 0
    for name, group in groupby(atlas.clips, key=lambda clip: clip.path):
        times = [(clip.start_seconds + clip.end_seconds) / 2 for clip in group]
        pictures = iter(read_stills(videos[name], times))
        for _ in times:
            _, picture = next(pictures, (0.0, None))
            sheets.put(index, None if picture is None else Image.fromarray(picture))
            index += 1
        yield name
    sheets.finish()
    page = folder / "index.html"
    data = as_script(_as_json(atlas, videos, page, title))
    write_text(folder / "data.js", f"window.ATLAS={data};\n")
    write_text(page, fill_template("explore.html", None))


def _as_json(atlas: Atlas, videos: Mapping[str, str], page: Path, title: str) -> dict[str, Any]:
    names = list(videos)
    numbers = {name: number for number, name in enumerate(names)}
    labels = sorted(set(atlas.classes or ()))
    sure = atlas.confidences
    return {
        "title": printable(title),
        "palette": OKABE_ITO,
        "cell": [CELL_WIDTH, CELL_HEIGHT, SIDE],
        "files": [printable(name) for name in names],
        "lists": [str(Path(videos[name]).absolute()) for name in names],
        "links": [link_to(videos[name], page) for name in names],
        "file": [numbers[clip.path] for clip in atlas.clips],
        "start": [round(clip.start_seconds, 2) for clip in atlas.clips],
        "end": [round(clip.end_seconds, 2) for clip in atlas.clips],
        "x": [round(float(x), 4) for x in atlas.places[:, 0]],
        "y": [round(float(y), 4) for y in atlas.places[:, 1]],
        "near": atlas.neighbours.tolist(),
        "cosine": [[round(float(c), 3) for c in row] for row in atlas.cosines],
        "labels": labels,
        "label": [labels.index(name) for name in atlas.classes] if atlas.classes else None,
        "sure": None if sure is None else [round(float(value), 3) for value in sure],
    }


class _Sheets:
    """Thumbnails on sheets of 20 x 20, in the order of the clips."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._sheet: Image.Image | None = None
        self._number = 0

    def put(self, index: int, picture: Image.Image | None) -> None:
        """The thumbnail of a clip; None leaves its cell empty."""
        number, cell = divmod(index, SIDE * SIDE)
        if number != self._number:
            self.finish()
            self._number = number
        if self._sheet is None:
            size = (SIDE * CELL_WIDTH, SIDE * CELL_HEIGHT)
            self._sheet = Image.new("RGB", size, "#202020")
        if picture is not None:
            picture.thumbnail((CELL_WIDTH, CELL_HEIGHT), Image.Resampling.BOX)
            left = cell % SIDE * CELL_WIDTH + (CELL_WIDTH - picture.width) // 2
            top = cell // SIDE * CELL_HEIGHT + (CELL_HEIGHT - picture.height) // 2
            self._sheet.paste(picture, (left, top))

    def finish(self) -> None:
        """Write the sheet in progress."""
        if self._sheet is not None:
            with replacing(self._folder / f"{self._number:04d}.jpg") as part:
                self._sheet.save(part, "JPEG", quality=SHEET_QUALITY)
        self._sheet = None
