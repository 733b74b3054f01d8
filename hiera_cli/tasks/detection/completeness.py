"""How complete tracks are: whether one track follows a person as long as they are seen.

A person is followed completely when a single track overlaps their true box by half or more (IoU)
in at least nine tenths of the instants at which there is one.
"""

from collections.abc import Sequence

import numpy as np

from hiera_cli.detection.metrics import iou_matrix
from hiera_cli.tasks.detection.tracks import TimedBox, Track, box_between

MIN_IOU = 0.5
MIN_SHARE = 0.9


def best_share(truth: Sequence[TimedBox], tracks: Sequence[Track], *, reach: float) -> float:
    """The largest share of a person's boxes that one track overlaps, in 0..1.

    Args:
        truth: the person's boxes.
        tracks: of the video.
        reach: seconds beyond a track's first and last box at which it still counts, and between
            two boxes over which it is taken to move evenly.
    """
    return max((_share(truth, track, reach) for track in tracks), default=0.0)


def is_complete(share: float) -> bool:
    """Whether a person of whose boxes that share was followed was followed completely."""
    return share >= MIN_SHARE


def _share(truth: Sequence[TimedBox], track: Track, reach: float) -> float:
    hits = 0
    for box in truth:
        found = box_between(track.boxes, box.time_seconds, reach=reach)
        if found is not None:
            overlap = iou_matrix(np.array([found.corners]), np.array([box.corners]))
            hits += bool(overlap[0, 0] >= MIN_IOU)
    return hits / len(truth)
