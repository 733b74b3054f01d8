"""The splits of a data set: what they are called, and which folder holds one."""

# os.path keeps every byte of a name, and says no where Path raises:
# ruff: noqa: PTH100, PTH112, PTH118, PTH119, PTH208

import os

from hiera_cli.errors import UsageError
from hiera_cli.inputs import printable

_SPLITS = {
    "val": frozenset({"val", "validate", "validation", "valid"}),
    "train": frozenset({"train", "training"}),
    "test": frozenset({"test", "testing"}),
}


def split_aliases(split: str) -> frozenset[str]:
    """All the names of a split; an unknown one has no other name."""
    split = split.lower()
    return next((names for names in _SPLITS.values() if split in names), frozenset({split}))


def split_called(name: str) -> str | None:
    """`val`, `train` or `test` where `name` is one of its names."""
    return next((split for split, names in _SPLITS.items() if name.lower() in names), None)


def own_name(folder: str) -> str:
    """The last part of the folder's absolute path."""
    return os.path.basename(os.path.abspath(folder))


def split_folder(root: str, split: str) -> str | None:
    """The subfolder of `root` that is named after the split."""
    folders = (os.path.join(root, name) for name in sorted(split_aliases(split)))
    return next((folder for folder in folders if os.path.isdir(folder)), None)


def choose_split_folder(root: str, split: str | None) -> str:
    """Where the class folders are: in `root`, or in its subfolder for the split.

    Raises:
        UsageError: no such split, or several and none is called for.
    """
    if split is None:
        return _only_split_folder(root)
    folder = split_folder(root, split)
    if folder is None and split_called(own_name(root)) != split_called(split):
        raise UsageError(f"'{printable(root)}' has no folder for the split '{printable(split)}'")
    return folder or root


def _only_split_folder(root: str) -> str:
    """`val` where all subfolders of `root` are splits, or the only one; else `root` itself."""
    entries = sorted(name for name in os.listdir(root) if not name.startswith("."))
    folders = [name for name in entries if os.path.isdir(os.path.join(root, name))]
    if not folders or not all(map(split_called, folders)):
        return root
    fitting = [name for name in folders if split_called(name) == "val"] or folders
    if len(fitting) > 1:
        raise UsageError(
            f"'{printable(root)}' holds several splits", hint=f"add --split {fitting[0]}"
        )
    return os.path.join(root, fitting[0])
