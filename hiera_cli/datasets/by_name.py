"""Data sets whose annotations name clips, not files: Kinetics and Something-Something."""

# os.path keeps every byte of a name:
# ruff: noqa: PTH119, PTH122

import os
from collections.abc import Callable, Hashable
from dataclasses import replace

from hiera_cli.datasets.annotations import KineticsRow, clip_key, read_kinetics
from hiera_cli.datasets.groups import group_by
from hiera_cli.datasets.locate import without_empty_twins
from hiera_cli.datasets.sample import Dataset, Sample, absolute, make_dataset
from hiera_cli.datasets.something_something import read_something
from hiera_cli.datasets.splits import choose_split, split_aliases, split_folder, split_in_name
from hiera_cli.datasets.text import open_lines, read_text
from hiera_cli.inputs import VIDEO_SUFFIXES, expand_inputs, printable


def read_kinetics_folder(
    root: str, annotations: str, *, split: str | None, group: str | None
) -> Dataset:
    """Videos called `{youtube_id}_{start}_{end}`; those of one YouTube video are a group.

    Raises:
        UsageError: rows that make no sense, or an unclear choice of the split.
    """
    rows = list(read_kinetics(open_lines(annotations), source=annotations))
    rows, split_name = _rows_of_split(rows, annotations, split)
    folder = split_folder(root, split_name) or root
    files, warnings = _files(folder, clip_key)
    samples = []
    for row in rows:
        path = files.get(row.key)
        name = os.path.relpath(path, root) if path else row.key.stem
        samples.append(Sample(path, name, row.label, group=printable(row.key.youtube_id)))
    layout = f"Kinetics annotations '{printable(annotations)}' ({split_name or 'one'} split)"
    return make_dataset(
        group_by(samples, group) if group is not None else samples,
        f"{layout}, videos in '{printable(folder)}'",
        split=split_name,
        warnings=warnings,
        missing_hint=_looked_for(samples, folder, files),
    )


def read_something_folder(root: str, annotations: str, *, group: str | None) -> Dataset:
    """Something-Something-v2: videos anywhere below `root`, named after their numbers.

    Raises:
        UsageError: the file makes no sense.
    """
    rows = read_something(read_text(annotations), source=annotations)
    files, warnings = _files(root, lambda name: os.path.splitext(os.path.basename(name))[0])
    samples = []
    for row in rows:
        path = files.get(row.video_id)
        name = os.path.relpath(path, root) if path else row.video_id
        samples.append(Sample(path, name, row.label))
    layout = f"Something-Something labels '{printable(annotations)}'"
    dataset = make_dataset(
        group_by(samples, group) if group is not None else samples,
        f"{layout}, videos in '{printable(root)}'",
        split=split_in_name(annotations),
        warnings=warnings,
        missing_hint=_looked_for(samples, root, files),
    )
    return replace(dataset, is_something=True)


def kinetics_splits(annotations: str) -> set[str]:
    """The splits in a Kinetics CSV, as it spells them.

    Raises:
        UsageError: rows that make no sense.
    """
    rows = read_kinetics(open_lines(annotations), source=annotations)
    return {row.split for row in rows if row.split}


def _rows_of_split(
    rows: list[KineticsRow], annotations: str, split: str | None
) -> tuple[list[KineticsRow], str]:
    """The rows that belong to the split, and the split's name in the file."""
    present = {row.split for row in rows if row.split}
    if not present:
        return rows, split or split_in_name(annotations)
    chosen = choose_split(present, split, annotations)
    same = split_aliases(chosen)
    rows = [row for row in rows if row.split in same]
    return rows, rows[0].split


def _files(
    folder: str, key_of: Callable[[str], Hashable]
) -> tuple[dict[Hashable, str], tuple[str, ...]]:
    """The videos below a folder by what their names say; of two suffixes, one that is not empty."""
    found, warnings = without_empty_twins(expand_inputs([folder], suffixes=VIDEO_SUFFIXES))
    files: dict[Hashable, str] = {}
    for file in found:
        files.setdefault(key_of(file.name), file.path)
    return files, warnings


def _looked_for(samples: list[Sample], folder: str, files: dict[Hashable, str]) -> str:
    missing = next((sample for sample in samples if sample.path is None), None)
    if missing is None:
        return ""
    there = next(iter(files.values()), None)
    found = f"'{printable(os.path.basename(there))}' is there" if there else "no video is there"
    wanted = printable(missing.name)
    return f"'{wanted}.*' was looked for below '{absolute(folder)}'; {found}"
