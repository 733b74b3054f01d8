"""Symmetries of clips: what a mirrored or reversed clip shows, and how its label changes.

A mirrored pan to the left is a pan to the right, and played backwards it is one, too. Labels say
so in words; where the word's counterpart makes the label of another class, a turned clip is an
honest example of that class, and where it does not, the clip must not be turned.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np
from torch import Tensor

from hiera_cli.datasets.dataset import normalise_label
from hiera_cli.options import Symmetry

Counterparts = tuple[int | None, ...]


def _both_ways(*pairs: tuple[str, str]) -> dict[str, str]:
    return {a: b for one, other in pairs for a, b in ((one, other), (other, one))}


_SIDEWAYS = (("left", "right"), ("leftward", "rightward"), ("leftwards", "rightwards"))
_UPRIGHT = (("up", "down"), ("upward", "downward"), ("upwards", "downwards"), ("top", "bottom"))
_TURNS = (("clockwise", "counterclockwise"),)

WORDS: dict[Symmetry, dict[str, str]] = {
    "mirror": _both_ways(*_SIDEWAYS, *_TURNS),
    "upside-down": _both_ways(*_UPRIGHT, *_TURNS),
    "reversal": _both_ways(*_SIDEWAYS, *_UPRIGHT, *_TURNS, ("in", "out")),
    "transposition": _both_ways(
        ("left", "up"),
        ("right", "down"),
        ("leftward", "upward"),
        ("rightward", "downward"),
        ("leftwards", "upwards"),
        ("rightwards", "downwards"),
        ("pan", "tilt"),
        *_TURNS,
    ),
}
_AXES = {"mirror": -1, "upside-down": -2, "reversal": -3}
_COUNTERCLOCKWISE = re.compile(r"\b(counter|anti)[- ]?clockwise\b")


@dataclass(frozen=True, slots=True)
class Symmetries:
    """Which symmetries training clips are put through, each for half of them.

    Attributes:
        counterparts: for each symmetry, the class that a turned clip of class i belongs to; None
            where it belongs to none. An empty tuple turns clips of any class, labels unchanged.
    """

    counterparts: Mapping[Symmetry, Counterparts] = field(default_factory=dict)

    @classmethod
    def of_pictures(cls, *, flip: bool) -> Self:
        """For clips without labels."""
        return cls({"mirror": ()} if flip else {})

    @classmethod
    def of_classes(
        cls, classes: Sequence[str], *, flip: bool, names: Sequence[Symmetry] = ()
    ) -> Self:
        """For labelled clips.

        Args:
            classes: names in the order of their indices.
            flip: mirror clips whose label names no direction.
            names: symmetries that go with a change of the label.
        """
        found = {name: find_counterparts(classes, name) for name in names}
        if flip and "mirror" not in found:
            mirrored = find_counterparts(classes, "mirror")
            found["mirror"] = tuple(c if c == i else None for i, c in enumerate(mirrored))
        return cls(found)

    def turn(self, clip: Tensor, target: int, rng: np.random.Generator) -> tuple[Tensor, int]:
        """A clip (3, T, S, S) or (3, S, S) put through half of the symmetries, and its class."""
        for name, classes in self.counterparts.items():
            turned = classes[target] if classes else target
            if rng.random() < 0.5 and turned is not None:
                clip, target = turn_clip(clip, name), turned
        return clip, target


def turn_clip(clip: Tensor, name: Symmetry) -> Tensor:
    """The clip (3, T, S, S) mirrored, upside down, played backwards, or with its axes swapped.

    Pictures (3, S, S) have no time: `reversal` is for clips.
    """
    if name == "transposition":
        return clip.transpose(-1, -2)
    return clip.flip(_AXES[name])


def find_counterparts(classes: Sequence[str], name: Symmetry) -> Counterparts:
    """The class of a turned clip, for each class; None where there is no such class.

    >>> find_counterparts(("static", "pan left", "pan right", "tilt up"), "mirror")
    (0, 2, 1, 3)
    >>> find_counterparts(("static", "pan left", "pan right", "tilt up"), "upside-down")
    (0, 1, 2, None)
    """
    spelled = [_spelled(label) for label in classes]
    index_of = {label: index for index, label in enumerate(spelled)}
    return tuple(index_of.get(_swapped(label, WORDS[name])) for label in spelled)


def _spelled(label: str) -> str:
    return _COUNTERCLOCKWISE.sub("counterclockwise", normalise_label(label))


def _swapped(label: str, words: Mapping[str, str]) -> str:
    return re.sub(r"\w+", lambda match: words.get(match[0], match[0]), label)
