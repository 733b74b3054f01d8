"""Places365's lists: `/a/abbey/00000001.jpg 0`, and the names of the numbers beside them.

ROOT/places365_train_standard.txt   below data_256_standard/ or data_large_standard/
ROOT/places365_val.txt              below val_256/ or val_large/
ROOT/categories_places365.txt       /a/abbey 0
"""

# os.path keeps every byte of a name:
# ruff: noqa: PTH112, PTH113, PTH118, PTH119, PTH120

import os
import re
from collections.abc import Iterator

from hiera_cli.datasets.groups import group_by
from hiera_cli.datasets.sample import Dataset, Sample, first_missing, make_dataset
from hiera_cli.datasets.text import open_lines
from hiera_cli.errors import UsageError
from hiera_cli.inputs import printable

LISTS = {
    "train": ("places365_train_standard.txt", "places365_train_challenge.txt"),
    "val": ("places365_val.txt",),
}
NAMES = "categories_places365.txt"
FOLDERS = {
    "train": ("data_256_standard", "data_large_standard", "data_256", "data_large", "train"),
    "val": ("val_256", "val_large", "val"),
}
_ROW = re.compile(r"(\S.*?)\s+([0-9]{1,9})")


def places_lists(root: str) -> dict[str, str]:
    """The lists in a folder by split."""
    places = ((split, os.path.join(root, name)) for split in LISTS for name in LISTS[split][::-1])
    return {split: path for split, path in places if os.path.isfile(path)}


def is_places_list(path: str) -> bool:
    """Whether a file is called like a list of Places365."""
    return any(os.path.basename(path) in names for names in LISTS.values())


def read_places(root: str, annotations: str, *, group: str | None) -> Dataset:
    """The pictures of a list, with their places by name.

    Args:
        root: the folder that holds those of the pictures.
        annotations: the list.
        group: a regular expression over names, as in `read_dataset`.

    Raises:
        UsageError: no file of names beside it, or a line that makes no sense.
    """
    split = next(split for split in LISTS if os.path.basename(annotations) in LISTS[split])
    names_path = os.path.join(os.path.dirname(annotations) or ".", NAMES)
    if not os.path.isfile(names_path):
        raise UsageError(
            f"no {NAMES} beside '{printable(annotations)}'",
            hint="it comes with Places365's lists and names their numbers",
        )
    names = {number: name.lstrip("/")[2:] for name, number in _rows(names_path)}
    folder = next(
        (path for name in FOLDERS[split] if os.path.isdir(path := os.path.join(root, name))), root
    )
    samples = []
    for name, number in _rows(annotations):
        if number not in names:
            raise UsageError(f"'{printable(annotations)}': class {number} is not in {NAMES}")
        path = os.path.join(folder, name.lstrip("/"))
        found = path if os.path.isfile(path) else None
        samples.append(Sample(found, os.path.relpath(path, root), names[number]))
    return make_dataset(
        group_by(samples, group) if group is not None else samples,
        f"Places365's '{printable(annotations)}', pictures in '{printable(folder)}'",
        split=split,
        names=[names[number] for number in sorted(names)],
        missing_hint=first_missing(samples, root),
    )


def _rows(path: str) -> Iterator[tuple[str, int]]:
    """Path and number of each line.

    Raises:
        UsageError: a line that has no such two.
    """
    for number, line in enumerate(open_lines(path), start=1):
        found = _ROW.fullmatch(line.strip())
        if found is None and line.strip():
            raise UsageError(
                f"'{printable(path)}' line {number}: {printable(line.strip()[:60])!r} is no "
                "`/a/abbey/00000001.jpg 0`"
            )
        if found is not None:
            yield found[1], int(found[2])
