"""What a head is fitted to: the features of every clip, and the classes of every video."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from hiera_cli.errors import NoInputError, UsageError
from hiera_cli.tables import read_rows
from hiera_cli.tasks.fit.labelled import LabelledVideo

Indices = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False, slots=True)
class Examples:
    """Videos with the features of their clips.

    Attributes:
        names: of the videos, N.
        classes: class names, K.
        features: (clips, D) float64, video by video.
        video_index: (clips,) int64, ascending.
        targets: (N, K) float64, 1 for each class that a video has.
        groups: (N,) int64; videos of a group belong on one side of a split.
    """

    names: tuple[str, ...]
    classes: tuple[str, ...]
    features: Tensor
    video_index: Tensor
    targets: Tensor
    groups: Indices

    def __len__(self) -> int:
        return len(self.names)

    @property
    def counts(self) -> Indices:
        """Videos of each class, (K,)."""
        return self.targets.sum(0).numpy().astype(np.int64)

    @property
    def is_grouped(self) -> bool:
        """Whether any two videos belong together."""
        return len(np.unique(self.groups)) < len(self)

    def subset(self, videos: Indices) -> "Examples":
        """Some of the videos, by ascending index."""
        chosen = torch.from_numpy(np.isin(self.video_index.numpy(), videos))
        place = torch.full((len(self),), -1)
        place[torch.from_numpy(videos)] = torch.arange(len(videos))
        return Examples(
            names=tuple(self.names[index] for index in videos),
            classes=self.classes,
            features=self.features[chosen],
            video_index=place[self.video_index[chosen]],
            targets=self.targets[torch.from_numpy(videos)],
            groups=self.groups[videos],
        )

    def averaged(self) -> "Examples":
        """The same videos, each as one clip with the mean of its clips' features."""
        return Examples(
            names=self.names,
            classes=self.classes,
            features=mean_by_video(self.features, self.video_index, len(self)),
            video_index=torch.arange(len(self)),
            targets=self.targets,
            groups=self.groups,
        )

    @property
    def clip_weights(self) -> Tensor:
        """(clips,) float64: what the clips of a video share is one."""
        num_clips = torch.bincount(self.video_index, minlength=len(self)).double()
        return 1.0 / num_clips[self.video_index]


def mean_by_video(values: Tensor, video_index: Tensor, num_videos: int) -> Tensor:
    """Mean over the clips of each video, (clips, X) to (N, X), as `classify` averages scores."""
    sums = torch.zeros(num_videos, values.shape[1], dtype=values.dtype)
    sums.index_add_(0, video_index, values)
    return sums / torch.bincount(video_index, minlength=num_videos)[:, None]


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
