"""Class names as people write them: when two are the same, and which model class they mean."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

SEPARATOR = ";"
_QUOTES = str.maketrans("", "", "\"'`´‘’‚“”„")
_CLASS_NUMBER = re.compile(r"[0-9]{1,9}")
_IMAGENET_FOLDER = re.compile(r"n[0-9]{8}")


@dataclass(frozen=True, slots=True)
class LabelMatch:
    """How the classes of a data set and of a model correspond.

    Attributes:
        index_of: the model's class index for each class of the data set that it knows.
        unknown: the data set's other classes, in sorted order.
        how: a sentence on what was compared.
    """

    index_of: Mapping[str, int]
    unknown: tuple[str, ...]
    how: str


def normalise_label(name: str) -> str:
    """The form in which names are compared: case, quotes, blanks and underscores do not count."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    return " ".join(folded.translate(_QUOTES).replace("_", " ").split())


def is_class_number(name: str) -> bool:
    """Whether a label is a class index rather than a name: up to nine digits."""
    return _CLASS_NUMBER.fullmatch(name) is not None


def split_label(label: str) -> tuple[str, ...]:
    """The classes of a video that has several, separated by `;`, each once."""
    parts = (part.strip() for part in label.split(SEPARATOR))
    return tuple(dict.fromkeys(part for part in parts if part))


def match_labels(classes: Sequence[str], labels: Sequence[str]) -> LabelMatch:
    """The model class that each class of a data set means.

    Names are compared as `normalise_label` has it; a name that several model classes share is
    matched only when it is spelled exactly like one of them. Where no name matches, numbers are
    class indices, and ImageNet folders (`n01440764`, one for each class) count in sorted order.
    Nothing else is guessed.

    Args:
        classes: the data set's class names.
        labels: the model's class names, in the order of its outputs.
    """
    by_name = _match_names(classes, labels)
    if by_name.index_of or not classes:
        return by_name
    if all(map(is_class_number, classes)):
        index_of = {name: int(name) for name in classes if int(name) < len(labels)}
        return _match(classes, index_of, "labels are class numbers of the model")
    if len(classes) == len(labels) and all(map(_IMAGENET_FOLDER.fullmatch, classes)):
        index_of = {name: index for index, name in enumerate(sorted(classes))}
        return _match(classes, index_of, "ImageNet folders, in sorted order")
    return by_name


def _match_names(classes: Sequence[str], labels: Sequence[str]) -> LabelMatch:
    exact = _unique(labels)
    loose = _unique([normalise_label(label) for label in labels])
    found = {name: exact.get(name, loose.get(normalise_label(name))) for name in classes}
    index_of = {name: index for name, index in found.items() if index is not None}
    return _match(classes, index_of, "labels matched by name")


def _unique(names: Sequence[str]) -> dict[str, int]:
    """Index of every name that occurs once."""
    seen: dict[str, int | None] = {}
    for index, name in enumerate(names):
        seen[name] = None if name in seen else index
    return {name: index for name, index in seen.items() if index is not None}


def _match(classes: Sequence[str], index_of: Mapping[str, int], how: str) -> LabelMatch:
    return LabelMatch(index_of, tuple(sorted(set(classes) - set(index_of))), how)
