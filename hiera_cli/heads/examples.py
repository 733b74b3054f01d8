"""What a head is fitted to: the features of every clip, and the classes of every video."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

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
