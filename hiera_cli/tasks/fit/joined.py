"""A table of features joined with the labels of its videos."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from hiera_cli.errors import NoInputError, UsageError
from hiera_cli.heads.examples import Examples
from hiera_cli.tables import read_rows
from hiera_cli.tasks.fit.labelled import LabelledVideo


def read_examples(
    table: Path,
    videos: Mapping[str, LabelledVideo],
    classes: Sequence[str],
) -> Examples:
    """Join a table of features with the labels of its videos.

    Args:
        table: what `extract-features` wrote, with one vector a clip.
        videos: by their path in the table; rows of other videos are left out.
        classes: in the order of the head.

    Raises:
        UsageError: the table holds no vectors that a head sees.
        NoInputError: it holds none of the videos.
    """
    features: list[npt.NDArray[np.float64]] = []
    index_of: dict[str, int] = {}
    rows_of: list[int] = []
    for rows in read_rows(table, columns=["path", "feature"]):
        known = np.array([path in videos for path in rows["path"]], dtype=bool)
        features.append(rows["feature"][known].astype(np.float64))
        rows_of += [index_of.setdefault(path, len(index_of)) for path in rows["path"][known]]
    if not index_of:
        raise NoInputError(f"{table} holds none of {len(videos)} labelled videos")
    found = [videos[path] for path in index_of]
    targets = np.array([[name in video.labels for name in classes] for video in found])
    order = np.argsort(rows_of, kind="stable")
    called = [video.group or path for path, video in zip(index_of, found, strict=True)]
    _, groups = np.unique(called, return_inverse=True)
    joined = np.concatenate(features)[order]
    if not np.isfinite(joined).all():
        raise UsageError(f"{table} holds features that are not finite")
    return Examples(
        names=tuple(video.name for video in found),
        classes=tuple(classes),
        features=torch.from_numpy(joined),
        video_index=torch.tensor(rows_of)[torch.from_numpy(order)],
        targets=torch.from_numpy(targets.astype(np.float64)),
        groups=groups.astype(np.int64),
    )
