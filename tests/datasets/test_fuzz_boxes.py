"""Any value anywhere in a COCO, iNaturalist or VOC file ends in a data set or a HieraError."""

import copy
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hiera_cli.datasets.boxes import find_boxes, read_boxes
from hiera_cli.datasets.coco import read_coco
from hiera_cli.datasets.dataset import read_dataset
from hiera_cli.errors import HieraError
from tests.coco import document, write_voc
from tests.coco import write_shapes as shapes_of

ODD = [
    None, True, -1, 0, 1, 7, 2**40, 10**400, 1.5, 1e308, "", "a", "a\0b", "x" * 300, "../..", [],
    {}, [[]], [None], [1, 2, 3, 4], [[1, 2, 9, 2, 9, 9]], [[10**400] * 6],
    {"size": [30, 40], "counts": [1200]}, {"size": [30, 40], "counts": "`_1"},
    {"size": [30, 40], "counts": [10**30]}, {"size": 3, "counts": {}},
]  # fmt: skip
fuzz = settings(
    max_examples=80, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)


def places_in(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Paths to every value of a JSON document."""
    inside = value.items() if isinstance(value, dict) else enumerate(value)
    found = [(*path, key) for key, _ in inside]
    inside = value.items() if isinstance(value, dict) else enumerate(value)
    for key, part in inside:
        if isinstance(part, dict | list):
            found += places_in(part, (*path, key))
    return found


COCO = document(segmentation=[[4, 6, 14, 6, 14, 14, 4, 14]], iscrowd=0)
PLACES = places_in(COCO)
changes = st.lists(st.tuples(st.sampled_from(PLACES), st.sampled_from(ODD)), min_size=1, max_size=3)


def changed(steps: list[tuple[tuple[Any, ...], Any]]) -> dict[str, Any]:
    content = copy.deepcopy(COCO)
    for path, value in steps:
        part: Any = content
        with suppress(KeyError, IndexError, TypeError):
            for key in path[:-1]:
                part = part[key]
            part[path[-1]] = copy.deepcopy(value)
    return content


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz")


@fuzz
@given(steps=changes)
def test_coco(folder: Path, steps: list[tuple[tuple[Any, ...], Any]]) -> None:
    path = folder / "annotations.json"
    path.write_text(json.dumps(changed(steps)))
    for masks in (False, True):
        with suppress(HieraError):
            data = read_coco(path, masks=masks)
            assert data.classes
            assert all(b.x2 > b.x1 for picture in data.pictures for b in picture.boxes)


@fuzz
@given(steps=changes)
def test_inaturalist(folder: Path, steps: list[tuple[tuple[Any, ...], Any]]) -> None:
    path = folder / "train2018.json"
    path.write_text(json.dumps(changed(steps)))
    with suppress(HieraError):
        assert read_dataset(str(path)).samples


@fuzz
@given(
    place=st.integers(0, 10**6), text=st.sampled_from(["", "9" * 400, "nan", "<a>", "x" * 300, "&"])
)
def test_voc(folder: Path, place: int, text: str) -> None:
    root = folder / "voc"
    if not root.exists():
        write_voc(shapes_of(folder / "shapes", num=1, seed=0), root, split="train")
    page = next((root / "Annotations").glob("*.xml"))
    whole = page.read_text()
    at = place % len(whole)
    page.write_text(whole[:at] + text + whole[at + len(text) // 2 :])
    try:
        with suppress(HieraError):
            assert read_boxes(find_boxes(root, split="train")).classes
    finally:
        page.write_text(whole)
