"""What finds boxes in frames: a detector of our own or one of torchvision's, and which classes."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from hiera_cli.checkpoints.detector import open_detector
from hiera_cli.checkpoints.torchvision_detector import PREFIX, open_torchvision_detector
from hiera_cli.detection.detector import Boxes, detect_objects
from hiera_cli.detection.torchvision_boxes import detect_with_torchvision
from hiera_cli.errors import UsageError
from hiera_cli.tasks.detection.options import DetectOptions
from hiera_cli.tasks.detection.tracks import TimedBox

Picture = npt.NDArray[np.uint8]
MOST_SHOWN = 20  # classes in an error


@dataclass(frozen=True, eq=False, slots=True)
class Finder:
    """Finds labelled boxes.

    Attributes:
        find: the boxes of a picture.
        labels: class names by index.
        kept: the classes that are asked for.
    """

    find: Callable[[Picture], Boxes]
    labels: tuple[str, ...]
    kept: frozenset[str]

    def boxes(self, rgb: Picture, seconds: float) -> list[tuple[str, TimedBox]]:
        """The boxes of a frame (H, W, 3) uint8 with their classes, best first."""
        found = self.find(rgb)
        masks = found.masks or (None,) * len(found.labels)
        boxes = zip(found.corners.tolist(), found.scores.tolist(), masks, strict=True)
        return [
            (self.labels[label], TimedBox(seconds, x1, y1, x2, y2, score, mask))
            for label, ((x1, y1, x2, y2), score, mask) in zip(found.labels, boxes, strict=True)
            if self.labels[label] in self.kept and x2 > x1 and y2 > y1
        ]


def open_finder(options: DetectOptions, *, device: str) -> Finder:
    """The detector that the options name.

    Raises:
        UsageError: no such detector, or a class that it does not know.
        WeightsError: its weights are not available or do not fit.
    """
    assert options.detector is not None
    if options.detector.startswith(PREFIX):
        foreign = open_torchvision_detector(
            options.detector, device=device, offline=options.offline, cache_dir=options.cache_dir
        )
        find: Callable[[Picture], Boxes] = partial(detect_with_torchvision, foreign)
        labels = foreign.labels
    else:
        own = open_detector(options.detector, device=device)
        find, labels = partial(detect_objects, own), own.labels
    return Finder(find, labels, chosen_classes(options.classes, labels))


def chosen_classes(text: str | None, labels: tuple[str, ...]) -> frozenset[str]:
    """The classes that a `--classes` value names; None for all.

    Raises:
        UsageError: one that the detector does not know.
    """
    known = {label.lower(): label for label in labels if label != "N/A"}
    if text is None:
        return frozenset(known.values())
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if name.lower() not in known:
            shown = ", ".join([*known.values()][:MOST_SHOWN])
            more = ", …" if len(known) > MOST_SHOWN else ""
            raise UsageError(
                f"--classes: the detector knows no '{name}'", hint=f"it knows {shown}{more}"
            )
    return frozenset(known[name.lower()] for name in names)
