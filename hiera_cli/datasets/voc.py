"""Pictures with labelled boxes as PASCAL VOC has them, one XML file a picture.

ROOT/ImageSets/Main/train.txt       names of pictures, one a line
ROOT/Annotations/NAME.xml           size and objects
ROOT/JPEGImages/NAME.jpg            or the `filename` of the XML

Pixels count from 1, and the last one belongs to the box. What is `difficult` is neither learnt nor
missed.
"""

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

from hiera_cli.datasets.coco import BoxPicture, CocoDataset, LabelledBox, cut_to
from hiera_cli.errors import NoInputError, UsageError

LISTS = Path("ImageSets") / "Main"
ANNOTATIONS, PICTURES = "Annotations", "JPEGImages"
SUFFIXES = (".jpg", ".jpeg", ".png", ".JPG", ".JPEG", ".PNG")
MAX_BYTES = 2**24
MAX_SIDE = 10**6


@dataclass(frozen=True, slots=True)
class _Object:
    """A box of a file: corners in pixels from 0, the far ones beyond the last pixel."""

    label: str
    corners: tuple[float, float, float, float]
    difficult: bool


@dataclass(frozen=True, slots=True)
class _Page:
    """What an XML file says."""

    file_name: str
    width: int
    height: int
    objects: tuple[_Object, ...]


def is_voc(folder: Path) -> bool:
    """Whether a folder is a VOC data set."""
    return (folder / ANNOTATIONS).is_dir() and any((folder / ANNOTATIONS).glob("*.xml"))


def find_voc(folder: Path, *, split: str | None) -> Path:
    """The list of a split's pictures.

    Raises:
        UsageError: there is none.
    """
    path = folder / LISTS / f"{split or 'trainval'}.txt"
    if path.is_file():
        return path
    raise UsageError(f"no list '{path}'", hint="VOC lists the pictures of a split, one name a line")


def read_voc(path: Path) -> CocoDataset:
    """Read and check the pictures of a VOC list.

    The classes are those of all annotation files of the data set, in alphabetical order, so that
    all of its splits have the same.

    Raises:
        UsageError: a file is missing, is no VOC annotation or holds what cannot be meant.
        NoInputError: the list is empty.
    """
    root = path.parents[2]
    names = list(_names(path))
    if not names:
        raise NoInputError(f"{path} lists no picture")
    pages = {file.stem: _read(file) for file in sorted((root / ANNOTATIONS).glob("*.xml"))}
    missing = [name for name in names if name not in pages]
    if missing:
        raise UsageError(f"no '{root / ANNOTATIONS / missing[0]}.xml', which {path} lists")
    classes = tuple(sorted({thing.label for page in pages.values() for thing in page.objects}))
    if not classes:
        raise UsageError(f"no object in the files of '{root / ANNOTATIONS}'")
    index_of = {label: index for index, label in enumerate(classes)}
    pictures, num_cut, num_left_out = [], 0, 0
    for number, name in enumerate(names, start=1):
        page, boxes = pages[name], []
        for thing in page.objects:
            corners, is_cut = cut_to(thing.corners, width=page.width, height=page.height)
            num_cut += is_cut
            if corners is None:
                num_left_out += 1
                continue
            area = (corners[2] - corners[0]) * (corners[3] - corners[1])
            box = LabelledBox(*corners, index_of[thing.label], area, thing.difficult)
            boxes.append(box)
        place = str(_picture(root, name, page.file_name))
        pictures.append(BoxPicture(number, place, page.width, page.height, tuple(boxes)))
    ids = tuple(range(1, len(classes) + 1))
    return CocoDataset(path, classes, ids, tuple(pictures), num_cut, num_left_out)


def _names(path: Path) -> Iterator[str]:
    """The first word of each line: in the lists of a class, a number follows."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot read '{path}': {error}") from error
    words = (line.split() for line in lines)
    yield from dict.fromkeys(found[0] for found in words if found)


def _picture(root: Path, name: str, file_name: str) -> Path:
    """The picture of an annotation; it need not exist."""
    folder = root / PICTURES
    places = [folder / Path(file_name).name] if file_name else []
    places += [folder / f"{name}{suffix}" for suffix in SUFFIXES]
    found = (place for place in places if os.path.isfile(place))  # noqa: PTH113 - any name
    return next(found, folder / f"{name}.jpg")


def _read(path: Path) -> _Page:
    """One annotation file.

    Raises:
        UsageError: it makes no sense.
    """
    try:
        data = path.read_bytes() if path.stat().st_size <= MAX_BYTES else b""
    except OSError as error:
        raise UsageError(f"cannot read '{path}': {error.strerror}") from error
    if not data or b"<!" in data.replace(b"<!--", b"").replace(b"<![CDATA[", b""):
        raise UsageError(f"'{path}' is no VOC annotation: empty, too large, or with declarations")
    try:
        root = ET.fromstring(data)  # noqa: S314 - without declarations
    except (ET.ParseError, ValueError, LookupError) as error:
        raise UsageError(f"'{path}' is no XML: {error}") from error
    width, height = (_number(root, f"size/{side}", str(path)) for side in ("width", "height"))
    if not (1 <= width <= MAX_SIDE and 1 <= height <= MAX_SIDE):
        raise UsageError(f"{path}: a picture of {width:g} x {height:g}")
    objects = tuple(_object(found, str(path)) for found in root.findall("object"))
    return _Page((root.findtext("filename") or "").strip(), int(width), int(height), objects)


def _object(found: ET.Element, what: str) -> _Object:
    label = (found.findtext("name") or "").strip()
    if not label:
        raise UsageError(f"{what}: an object without a name")
    x1, y1, x2, y2 = (
        _number(found, f"bndbox/{side}", f"{what}: {label}")
        for side in ("xmin", "ymin", "xmax", "ymax")
    )
    difficult = (found.findtext("difficult") or "").strip() in ("1", "true")
    return _Object(label, (x1 - 1, y1 - 1, x2, y2), difficult)


def _number(element: ET.Element, name: str, what: str) -> float:
    text = element.findtext(name)
    try:
        value = float(text or "")
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise UsageError(f"{what}: {name.replace('/', '.')} is {text!r}, not a number")
    return value
