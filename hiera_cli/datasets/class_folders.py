"""Data sets with one folder a class: videos, or images where there is no video."""

# os.path keeps every byte of a name, and says no where Path raises:
# ruff: noqa: PTH118

import os

from hiera_cli.archives import split_archive
from hiera_cli.datasets.groups import group_by
from hiera_cli.datasets.lists.rows import clean_label
from hiera_cli.datasets.locate import without_empty_twins
from hiera_cli.datasets.sample import Dataset, Sample, make_dataset, no_video, shorten
from hiera_cli.datasets.splits import choose_split_folder, own_name, split_called, subfolder_names
from hiera_cli.errors import NoInputError
from hiera_cli.inputs import IMAGE_SUFFIXES, VIDEO_SUFFIXES, InputPath, expand_inputs, printable


def read_class_folders(root: str, *, split: str | None, group: str | None) -> Dataset:
    """The files below the folders of `root`, or of its subfolder for the split.

    Raises:
        UsageError: an unclear choice of the split.
        NoInputError: no folder holds a video or an image.
    """
    folder = choose_split_folder(root, split)
    videos = [] if split_archive(folder) else list(expand_inputs([folder], suffixes=VIDEO_SUFFIXES))
    found = videos or list(expand_inputs([folder], suffixes=IMAGE_SUFFIXES))
    found, warnings = without_empty_twins(found)
    inside = [file for file in found if os.sep in file.name]
    if not inside:
        raise NoInputError(
            f"no class folders with videos or images in '{printable(folder)}'",
            hint="expected one subfolder a class, or give the labels with --annotations FILE",
        )
    samples = [_foldered(file, os.path.relpath(folder, root)) for file in inside]
    if group is not None:
        samples = group_by(samples, group)
    outside = len(found) - len(inside)
    if outside:
        warnings += (f"{outside} files beside the class folders are left out",)
    empty, num_folders = _empty_folders(folder, inside)
    if empty:
        warnings += (f"{no_video(len(empty), num_folders)}: {shorten(empty)}",)
    return make_dataset(
        samples,
        f"class folders in '{printable(folder)}'",
        split=split_called(own_name(folder)) or "",
        warnings=warnings,
    )


def _foldered(file: InputPath, below: str) -> Sample:
    name = os.path.normpath(os.path.join(below, file.name))
    return Sample(file.path, name, clean_label(file.name.split(os.sep, 1)[0]))


def _empty_folders(folder: str, inside: list[InputPath]) -> tuple[list[str], int]:
    """Class folders without a video, and how many class folders there are."""
    used = {file.name.split(os.sep, 1)[0] for file in inside}
    there = set(subfolder_names(folder))
    return sorted(there - used), len(there | used)
