"""iNaturalist's JSON files: pictures, species, and which picture shows which.

ROOT/train2017.json, val2017.json   2018 and 2019 likewise; 2021: train.json and val.json
ROOT/train_val2018/Aves/2820/*.jpg  whatever `file_name` says
"""

# os.path keeps every byte of a name:
# ruff: noqa: PTH112, PTH113, PTH118, PTH208

import json
import os
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hiera_cli.datasets.class_names import normalise_label
from hiera_cli.datasets.groups import group_by
from hiera_cli.datasets.sample import Dataset, Sample, first_missing, make_dataset
from hiera_cli.datasets.splits import split_called
from hiera_cli.errors import UsageError
from hiera_cli.inputs import printable

_FILE = re.compile(r"(train|val)(20\d\d)?\.json", re.IGNORECASE)
_HEAD = re.compile(r'\s*\{\s*"(info|images|annotations|categories|licenses)"\s*:\s*[\[{]')
_HEAD_BYTES = 4096


def is_inaturalist(path: str) -> bool:
    """Whether a JSON file begins as COCO's and iNaturalist's do."""
    try:
        with Path(path).open("rb") as file:
            return _HEAD.match(file.read(_HEAD_BYTES).decode("utf-8", "replace")) is not None
    except (OSError, ValueError):
        return False


def inaturalist_files(root: str) -> dict[str, str]:
    """The annotation files in a folder by split; of several years the latest."""
    names = sorted(os.listdir(root)) if os.path.isdir(root) else []
    found = ((_FILE.fullmatch(name), os.path.join(root, name)) for name in names)
    return {
        split_called(match[1]) or "": path
        for match, path in found
        if match and is_inaturalist(path)
    }


def read_inaturalist(root: str, annotations: str, *, split: str, group: str | None) -> Dataset:
    """The pictures that a file lists, with their species in the order of their numbers.

    Args:
        root: the folder that the file names start at.
        annotations: the JSON file.
        split: what it is.
        group: a regular expression over names, as in `read_dataset`.

    Raises:
        UsageError: the file is damaged, or names a picture or species that it does not list.
    """
    source = printable(annotations)
    document = _read(annotations, source)
    categories = _by_id(document, "categories", "name", source)
    files = _by_id(document, "images", "file_name", source)
    names = _told_apart(categories)
    samples = []
    for entry in _entries(document, "annotations", source):
        image, category = (_number(entry, f"{kind}_id") for kind in ("image", "category"))
        if image not in files or category not in names:
            lacking = (
                f"picture {entry.get('image_id')!r}"
                if image not in files
                else f"category {entry.get('category_id')!r}"
            )
            raise UsageError(f"'{source}': annotation {entry.get('id')}: no {lacking} is listed")
        name = files[image]
        path = os.path.join(root, name)
        samples.append(Sample(path if os.path.isfile(path) else None, name, names[category]))
    return make_dataset(
        group_by(samples, group) if group is not None else samples,
        f"iNaturalist's '{source}'",
        split=split,
        names=[names[number] for number in sorted(names)],
        missing_hint=first_missing(samples, root),
    )


def _told_apart(categories: Mapping[int, str]) -> dict[int, str]:
    """Names of the species; where two are called the same, with their numbers."""
    counts = Counter(map(normalise_label, categories.values()))
    return {
        number: name if counts[normalise_label(name)] == 1 else f"{name} {number}"
        for number, name in categories.items()
    }


def _read(path: str, source: str) -> Mapping[str, Any]:
    try:
        document = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"cannot read '{source}': {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"'{source}' is no JSON: {error}") from error
    if not isinstance(document, dict):
        raise UsageError(f"'{source}' is not iNaturalist's: no object")
    return document


def _by_id(document: Mapping[str, Any], kind: str, field: str, source: str) -> dict[int, str]:
    """A text of each entry by its id."""
    found: dict[int, str] = {}
    for entry in _entries(document, kind, source):
        number, text = _number(entry, "id"), entry.get(field)
        if number is None or not isinstance(text, str) or not text.strip():
            raise UsageError(
                f"'{source}': {kind} hold id and {field}, found {entry.get('id')!r} and {text!r}"
            )
        if found.setdefault(number, text) != text:
            raise UsageError(f"'{source}': two {kind} with the id {number}")
    return found


def _number(entry: Mapping[str, Any], field: str) -> int | None:
    value = entry.get(field)
    return value if type(value) is int else None


def _entries(document: Mapping[str, Any], kind: str, source: str) -> list[dict[str, Any]]:
    entries = document.get(kind)
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        hint = "test files have no annotations; name the one of train or val"
        raise UsageError(f"'{source}' is not iNaturalist's: no list of {kind}", hint=hint)
    return entries
