"""Pictures with labelled boxes: COCO JSON, read without trusting it.

A box is `[x, y, width, height]` in pixels from the upper left corner. What cannot be meant (NaN,
fractions, a class or picture that is not listed) is an error; a box that leaves its picture is cut
off or left out, and counted.
"""

import json
import os
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hiera_cli.datasets.segmentations import Segmentation, is_finite, read_segmentation
from hiera_cli.errors import NoInputError, UsageError

NAMES = ("annotations.json", "_annotations.coco.json", "instances.json", "coco.json")
MAX_BYTES = 2**31
MAX_SIDE = 10**6

Corners = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class LabelledBox:
    """One box.

    Attributes:
        x1, y1, x2, y2: corners in pixels.
        label_index: position of its class in `CocoDataset.classes`.
        area: in square pixels, as the file says (of the mask, where there is one).
        is_crowd: one box around many things, which is neither learnt nor missed.
        segmentation: its shape, where masks were asked for.
    """

    x1: float
    y1: float
    x2: float
    y2: float
    label_index: int
    area: float
    is_crowd: bool = False
    segmentation: Segmentation | None = None


@dataclass(frozen=True, slots=True)
class BoxPicture:
    """A picture and what is in it.

    Attributes:
        image_id: in the file.
        path: of the picture; it need not exist.
        width, height: in pixels, as the file says.
    """

    image_id: int
    path: str
    width: int
    height: int
    boxes: tuple[LabelledBox, ...]


@dataclass(frozen=True, slots=True)
class CocoDataset:
    """A COCO file.

    Attributes:
        path: the file.
        classes: names in the order of the category ids.
        category_ids: id of each class.
        pictures: in the order of the file.
        num_clipped: boxes that reached beyond their picture and were cut off at its edge.
        num_outside: boxes outside their picture, or they or their shapes without area, which were
            left out.
        has_masks: whether every box has its shape.
    """

    path: Path
    classes: tuple[str, ...]
    category_ids: tuple[int, ...]
    pictures: tuple[BoxPicture, ...]
    num_clipped: int = 0
    num_outside: int = 0
    has_masks: bool = False

    @property
    def num_boxes(self) -> int:
        """Boxes of all pictures."""
        return sum(len(picture.boxes) for picture in self.pictures)


def find_coco(dataset: str | Path, *, split: str | None = None) -> Path:
    """The COCO file that a data set's name means: itself, or one in the folder or its split.

    Raises:
        UsageError: nothing is there, or no COCO file.
    """
    place = Path(dataset)
    if place.is_file():
        return place
    if not place.is_dir():
        raise UsageError(f"no data set at '{place}'", hint="name a COCO JSON file or its folder")
    folders = [place / split, place] if split else [place]
    for folder in folders:
        for name in NAMES:
            if (folder / name).is_file():
                return folder / name
    official = sorted((place / "annotations").glob(f"instances_{split or ''}*.json"))
    if len(official) == 1:
        return official[0]
    raise UsageError(
        f"no COCO file in '{place}'" + (f" for its {split} split" if split else ""),
        hint=f"name the JSON file itself, or call it {NAMES[0]}",
    )


def read_coco(path: Path, *, masks: bool = False) -> CocoDataset:
    """Read and check a COCO file.

    Args:
        path: the file.
        masks: read the shapes of things, too; everything must have one.

    Raises:
        UsageError: the file is missing, is no COCO JSON or holds what cannot be meant.
        NoInputError: it lists no picture.
    """
    document = _read_json(path)
    categories = _entries(document, "categories", path)
    by_id = {_integer(c, "id", path): str(c.get("name", "")) for c in categories}
    if not by_id or len(by_id) != len(categories):
        raise UsageError(f"{path}: no categories, or two with one id")
    ids = tuple(sorted(by_id))
    images = {_integer(i, "id", path): i for i in _entries(document, "images", path)}
    if not images:
        raise NoInputError(f"{path} lists no picture")
    index_of = {category: index for index, category in enumerate(ids)}
    counts = _Counts(path, index_of, images, masks=masks)
    for entry in _entries(document, "annotations", path):
        counts.add(entry)
    _refuse_fractions(counts.boxes.values(), path)
    root = _picture_folder(path, images.values())
    pictures = tuple(
        BoxPicture(
            image_id=image_id,
            path=str(root / str(image.get("file_name", ""))),
            width=_integer(image, "width", path, least=1, most=MAX_SIDE),
            height=_integer(image, "height", path, least=1, most=MAX_SIDE),
            boxes=tuple(counts.boxes.get(image_id, ())),
        )
        for image_id, image in images.items()
    )
    names = tuple(by_id[i] for i in ids)
    return CocoDataset(path, names, ids, pictures, counts.num_clipped, counts.num_outside, masks)


class _Counts:
    """Boxes by picture, as they are checked."""

    def __init__(
        self,
        path: Path,
        index_of: Mapping[int, int],
        images: Mapping[int, Mapping[str, Any]],
        *,
        masks: bool,
    ) -> None:
        self.path, self.index_of, self.images, self.masks = path, index_of, images, masks
        self.boxes: dict[int, list[LabelledBox]] = defaultdict(list)
        self.num_clipped = 0
        self.num_outside = 0

    def add(self, entry: Mapping[str, Any]) -> None:
        """Check one annotation and note its box.

        Raises:
            UsageError: it cannot be meant.
        """
        what = f"{self.path}: annotation {entry.get('id')}"
        image = self.images.get(_integer(entry, "image_id", self.path))
        if image is None:
            raise UsageError(f"{what}: no picture has the id {entry['image_id']}")
        category = _integer(entry, "category_id", self.path)
        if category not in self.index_of:
            raise UsageError(f"{what}: no category has the id {category}")
        x, y, width, height = _numbers(entry.get("bbox"), what)
        wide, high = (
            _integer(image, side, self.path, most=MAX_SIDE) for side in ("width", "height")
        )
        shape = None
        if self.masks:
            shape = read_segmentation(entry.get("segmentation"), what, width=wide, height=high)
        corners, is_cut = cut_to((x, y, x + width, y + height), width=wide, height=high)
        if corners is None or (shape is not None and shape.is_empty):
            self.num_outside += 1
            return
        self.num_clipped += is_cut
        area = entry.get("area", width * height)
        (area,) = _numbers([area], what, num=1)
        crowd = bool(entry.get("iscrowd", 0))
        box = LabelledBox(*corners, self.index_of[category], area, crowd, shape)
        self.boxes[entry["image_id"]].append(box)


def cut_to(corners: Corners, *, width: int, height: int) -> tuple[Corners | None, bool]:
    """What a picture shows of a box, None where that is nothing; and whether a part is cut off."""
    x1, x2 = (min(max(value, 0.0), float(width)) for value in corners[::2])
    y1, y2 = (min(max(value, 0.0), float(height)) for value in corners[1::2])
    if x2 <= x1 or y2 <= y1:
        return None, False
    whole = (corners[2] - corners[0]) * (corners[3] - corners[1])
    return (x1, y1, x2, y2), (x2 - x1) * (y2 - y1) < whole * (1 - 1e-6)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise UsageError(f"'{path}' is larger than {MAX_BYTES / 2**30:.0f} GiB")
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"cannot read '{path}': {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"'{path}' is no JSON: {error}", hint="name a COCO JSON file") from error
    if not isinstance(document, dict):
        raise UsageError(f"'{path}' is no COCO file: not an object", hint="name a COCO JSON file")
    return document


def _entries(document: Mapping[str, Any], name: str, path: Path) -> list[dict[str, Any]]:
    found = document.get(name)
    if not isinstance(found, list) or not all(isinstance(entry, dict) for entry in found):
        raise UsageError(
            f"'{path}' is no COCO file: no list of {name}",
            hint="it holds images, annotations and categories",
        )
    return found


def _integer(
    entry: Mapping[str, Any], name: str, path: Path, *, least: int = 0, most: int = 2**63 - 1
) -> int:
    value = entry.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise UsageError(f"{path}: {name} is {value!r}, not a whole number")
    return value


def _numbers(values: object, what: str, *, num: int = 4) -> list[float]:
    good = isinstance(values, list) and len(values) == num
    if not good or not all(map(is_finite, values)):  # type: ignore[call-overload]
        raise UsageError(f"{what}: {values!r} is not {num} finite numbers")
    return [float(v) for v in values]  # type: ignore[attr-defined]


def _refuse_fractions(boxes: Iterable[Iterable[LabelledBox]], path: Path) -> None:
    """Refuse a file whose boxes all lie in the first pixel."""
    sides = [max(box.x2, box.y2) for group in boxes for box in group]
    if sides and max(sides) <= 1:
        raise UsageError(
            f"{path}: all boxes lie within one pixel: they look like fractions",
            hint="COCO boxes are [x, y, width, height] in pixels",
        )


def _picture_folder(path: Path, images: Iterable[Mapping[str, Any]]) -> Path:
    """Where the pictures are: beside the file, in images/, or as in the official COCO."""
    name = str(next(iter(images)).get("file_name", ""))
    split = path.stem.removeprefix("instances_")
    places = (path.parent, path.parent / "images", path.parent.parent / split)
    found = (place for place in places if os.path.isfile(place / name))  # noqa: PTH113 - any name
    return next(found, path.parent)
