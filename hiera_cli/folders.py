"""Folders searched for files, without what systems and tools leave in them, links followed.

Each folder is read as its files are asked for; a folder that links lead back to is read once.
"""

# os.path keeps every byte of a name, and says no where Path raises:
# ruff: noqa: PTH110, PTH116, PTH118, PTH122

import logging
import os
from collections.abc import Iterator

# What macOS, Windows, NAS boxes, file systems and notebooks put beside data.
_DEBRIS_STARTS = ("._", ".nfs", ".fuse_hidden")
_DEBRIS_FOLDERS = frozenset(
    {"__macosx", ".appledouble", "@eadir", ".ipynb_checkpoints", "lost+found", "#recycle"}
    | {"$recycle.bin", "system volume information", "@recycle", "@tmp", "#snapshot", "__pycache__"}
)
_PARTIAL_ENDS = (".part", ".partial", ".crdownload", ".!qb", ".!ut", ".aria2", ".ytdl", ".download")
_MAX_LINKS = 4

logger = logging.getLogger("hiera_cli")


def is_debris(name: str) -> bool:
    """Whether a file or folder is one that systems and tools leave behind, by its name."""
    return name.startswith(_DEBRIS_STARTS) or name.lower() in _DEBRIS_FOLDERS


def files_below(root: str, suffixes: frozenset[str]) -> Iterator[tuple[str, str]]:
    """Path and name below `root` of every file with one of the suffixes, in sorted order."""
    num_debris = 0
    for folder, name in _all_below(root, (_identity(root),), num_links=0):
        if is_debris(name) or name.lower().endswith(_PARTIAL_ENDS):
            num_debris += 1
        elif os.path.splitext(name)[1].lower() in suffixes:
            path = os.path.join(folder, name)
            yield path, os.path.relpath(path, root)
    if num_debris:
        logger.debug("'%s': %d files that tools left behind are skipped", root, num_debris)


def _all_below(
    folder: str, trail: tuple[tuple[int, int] | None, ...], *, num_links: int
) -> Iterator[tuple[str, str]]:
    """Folder and name of every file, those of a folder before those of its subfolders.

    A link that leads back to a folder that it lies in is not followed, nor are links in folders
    that are behind several links: the number of ways through links grows without bound.

    Args:
        folder: where to look.
        trail: the identities of the folders on the way to it, and its own.
        num_links: how many links are on that way.
    """
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        logger.warning("'%s' cannot be searched: %s", folder, error.strerror)
        return
    for entry in entries:
        if not _is_folder(entry):
            if "." not in entry.name and entry.is_symlink() and not os.path.exists(entry.path):
                logger.warning("the link '%s' leads nowhere: skipped", entry.path)
            yield folder, entry.name
    for entry in entries:
        if not _is_folder(entry) or entry.name.startswith(".") or is_debris(entry.name):
            continue
        through, identity = num_links + entry.is_symlink(), _identity(entry.path)
        if entry.is_symlink() and (identity in trail or through > _MAX_LINKS):
            reason = "leads back to where it is" if identity in trail else "is behind many links"
            logger.warning("the link '%s' %s: skipped", entry.path, reason)
            continue
        yield from _all_below(entry.path, (*trail, identity), num_links=through)


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _identity(folder: str) -> tuple[int, int] | None:
    try:
        status = os.stat(folder)
    except OSError:
        return None
    return status.st_dev, status.st_ino
