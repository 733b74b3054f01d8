r"""Where the file of a listed path is, however it is spelled, and what is nearest if nowhere.

A list made on another system spells names in its own way: `\` between folders, accents composed or
decomposed, no suffix. Such a name means the file that exists; what was taken is counted and said.
"""

# os.path keeps every byte of a name, and says no where Path raises:
# ruff: noqa: PTH100, PTH110, PTH112, PTH113, PTH118, PTH119, PTH120, PTH122, PTH202, PTH208

import difflib
import os
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from hiera_cli.inputs import IMAGE_SUFFIXES, VIDEO_SUFFIXES, InputPath, existing_spelling, printable
from hiera_cli.remote import is_remote, is_there

MAX_NAMES, MAX_FOLDERS = 20_000, 2_000
_COMMON_SUFFIXES = (".mp4", ".webm", ".mkv", ".avi", ".mov", ".m4v", ".mpg", ".jpg", ".png")
_MEDIA_SUFFIXES = VIDEO_SUFFIXES | IMAGE_SUFFIXES


@dataclass
class Locator:
    """Finds listed files below a folder.

    Attributes:
        base: the folder that relative paths start at.
        respelled: how many paths were taken to mean a file that is spelled otherwise, by what
            differs.
    """

    base: str
    respelled: Counter[str] = field(default_factory=Counter)

    def find(self, path: str) -> str | None:
        """The file that a listed path means; None where there is none."""
        if "\0" in path:
            return None
        wanted = path if is_remote(path) else os.path.join(self.base, path)
        if is_remote(wanted):
            return wanted if is_there(wanted) else None
        found: str | None = existing_spelling(wanted)
        if found and not os.path.exists(found):
            found = _with_suffix(found)
        if found is None:
            return None
        if found != wanted:
            self.respelled[_difference(wanted, found)] += 1
        whole = whole_twin(found)
        if whole:
            self.respelled["another suffix, because the file that is listed is empty"] += 1
        return os.path.normpath(whole or found)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was taken to mean what, in words."""
        return tuple(
            f"{count} {'paths were' if count > 1 else 'path was'} found with {what}"
            for what, count in sorted(self.respelled.items())
        )


def _with_suffix(path: str) -> str | None:
    """The file that a path without suffix means."""
    if os.path.splitext(path)[1].lower() in _MEDIA_SUFFIXES:
        return None
    slashed = path.replace("\\", "/")
    return next((p for s in _COMMON_SUFFIXES if os.path.exists(p := slashed + s)), None)


def _difference(wanted: str, found: str) -> str:
    """In what an existing path differs from the one that was listed."""
    slashed = wanted.replace("\\", "/")
    if found == slashed:
        return "/ instead of \\"
    if found.startswith(slashed):
        return f"the suffix {found.removeprefix(slashed)}"
    if unicodedata.normalize("NFC", found) == unicodedata.normalize("NFC", slashed):
        return "accents composed in another way"
    return "other blanks or quotes at its ends"


def whole_twin(path: str) -> str | None:
    """The clip's file with another suffix that holds something, where `path` itself is empty."""
    try:
        if os.path.getsize(path) or not os.path.isfile(path):
            return None
        stem, own = os.path.splitext(path)
        candidates = (stem + suffix for suffix in sorted(_suffixes_like(own)) if suffix != own)
        return next((p for p in candidates if os.path.isfile(p) and os.path.getsize(p)), None)
    except (OSError, ValueError):
        return None


def _suffixes_like(suffix: str) -> frozenset[str]:
    return IMAGE_SUFFIXES if suffix.lower() in IMAGE_SUFFIXES else VIDEO_SUFFIXES


def without_empty_twins(files: Iterable[InputPath]) -> tuple[list[InputPath], tuple[str, ...]]:
    """The files but those that are empty while the same clip is there whole under another suffix.

    Returns:
        What is left, in order, and a sentence on what was left out, if anything.
    """
    kept: list[InputPath] = []
    empty: list[InputPath] = []
    for file in files:
        (empty if whole_twin(file.path) else kept).append(file)
    if not empty:
        return kept, ()
    first = printable(empty[0].name)
    return kept, (
        f"{len(empty)} empty files are left out, the same clip is there with another suffix: "
        f"'{first}'",
    )


def nearest(path: str, base: str) -> str | None:
    """What exists and is most like a path that does not; None if nothing is like it.

    Args:
        path: that was looked for.
        base: the folder that relative paths start at, searched for a file of the same name.
    """
    wanted = os.path.abspath(os.path.join(base, path.replace("\\", "/")))
    name, folder = os.path.basename(wanted), os.path.dirname(wanted)
    if os.path.isdir(folder):
        close = difflib.get_close_matches(name, sorted(os.listdir(folder))[:MAX_NAMES], n=1)
        if close:
            return os.path.join(folder, close[0])
    names = dict(islice(_files_below(base), MAX_NAMES))
    stem = os.path.splitext(name)[0]
    same = names.get(name) or next(
        (path for other, path in names.items() if os.path.splitext(other)[0] == stem), None
    )
    if same:
        return same
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.8)
    if close:
        return names[close[0]]
    while folder and not os.path.isdir(folder) and os.path.dirname(folder) != folder:
        folder = os.path.dirname(folder)
    return folder if os.path.isdir(folder) and os.path.dirname(folder) != folder else None


def _files_below(base: str) -> Iterator[tuple[str, str]]:
    """Names and paths of media files below a folder, as far as a short look goes."""
    for folder, _subfolders, files in islice(os.walk(base), MAX_FOLDERS):
        for name in sorted(files)[:MAX_NAMES]:
            if os.path.splitext(name)[1].lower() in _MEDIA_SUFFIXES:
                yield name, os.path.join(folder, name)
