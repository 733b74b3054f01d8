"""The splits of a data set: what they are called, and which folder holds one."""

# os.path keeps every byte of a name, and says no where Path raises:
# ruff: noqa: PTH100, PTH112, PTH118, PTH119, PTH122, PTH208

import os
import re
from collections.abc import Collection

from hiera_cli.archives import split_archive, subfolders
from hiera_cli.errors import UsageError
from hiera_cli.folders import is_debris
from hiera_cli.inputs import printable
from hiera_cli.remote import is_remote, subfolders_of

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
    root = below_wrapper(root)
    present = subfolder_names(root)
    names = (name for name in sorted(split_aliases(split)) if name in present)
    return next((os.path.join(root, name) for name in names), None)


def split_names(root: str) -> set[str]:
    """The splits that a data set's folders are named after; empty where these may be classes.

    `train` and `val` side by side are splits, whatever else there is; a single one is, when all
    its neighbours are.
    """
    folders = subfolder_names(below_wrapper(root))
    called = {split for name in folders if (split := split_called(name))}
    return called if {"train", "val"} <= called or all(map(split_called, folders)) else set()


def below_wrapper(root: str) -> str:
    """`root`, or in archives the one folder that holds everything, as many of them wrap it."""
    while split_archive(root):
        names = subfolders(root)
        if len(names) != 1 or split_called(names[0]):
            break
        root = os.path.join(root, names[0])
    return root


def subfolder_names(root: str) -> list[str]:
    """The folders directly below `root`, sorted, without what is hidden or left behind by tools."""
    if split_archive(root):
        return subfolders(root)
    if is_remote(root):
        return [name for name in subfolders_of(root) if not name.startswith(".")]
    if not os.path.isdir(root):
        return []
    names = sorted(name for name in os.listdir(root) if not name.startswith("."))
    folders = (name for name in names if os.path.isdir(os.path.join(root, name)))
    return [name for name in folders if not is_debris(name)]


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
    return folder or below_wrapper(root)


def _only_split_folder(root: str) -> str:
    """`val` where subfolders of `root` are splits, or the only one; else `root` itself."""
    root = below_wrapper(root)
    folders = [name for name in subfolder_names(root) if split_called(name)]
    if not split_names(root):
        return root
    fitting = [name for name in folders if split_called(name) == "val"] or folders
    if len(fitting) > 1:
        raise UsageError(
            f"'{printable(root)}' holds several splits", hint=f"add --split {fitting[0]}"
        )
    return os.path.join(root, fitting[0])


def split_in_name(path: str) -> str:
    """The split that a file such as `kinetics_val_list.txt` is called after; empty if none is."""
    called = (split_called(word) for word in sorted(words_of(path)))
    return next((name for name in called if name), "")


def words_of(path: str) -> set[str]:
    """The words of a file's name, without its suffix."""
    stem = os.path.splitext(os.path.basename(path))[0].lower()
    return set(re.split(r"[^a-z]+", stem))


def choose_split(present: Collection[str], split: str | None, source: str) -> str:
    """The split of an annotation file that is meant, as the file spells it.

    Args:
        present: the splits that are there; one at least.
        split: the one that is called for; None: the only one, or else `val`.
        source: the file's name, for messages.

    Raises:
        UsageError: there is no such split, or several and none is called for.
    """
    if split is None and len(present) == 1:
        return next(iter(present))
    wanted = split_aliases(split or "val")
    found = next((name for name in sorted(present) if name in wanted), None)
    if found is None:
        raise UsageError(
            f"'{printable(source)}' has no split '{printable(split or 'val')}'",
            hint=f"choose with --split: {', '.join(map(printable, sorted(present)))}",
        )
    return found
