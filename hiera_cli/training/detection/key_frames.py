"""Key frames as an action detector learns from them: clip and boxes, jitter, crop, mirror."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import torch
from torch import Tensor

from hiera_cli.checkpoints.preprocessing import Preprocessing
from hiera_cli.datasets.ava import ActionBox
from hiera_cli.datasets.keyframes import KeyFrame, KeyFrameDataset
from hiera_cli.errors import Failure, MediaError, NoInputError
from hiera_cli.model.action_head import action_targets
from hiera_cli.training.data.order import Draw, visit_rng
from hiera_cli.training.data.samples import SampleBatch
from hiera_cli.training.data.symmetries import Counterparts, find_counterparts
from hiera_cli.training.detection.options import ActionOptions
from hiera_cli.video.clips import ClipReader
from hiera_cli.video.keyframe_clips import clips_around


@dataclass(frozen=True, eq=False, slots=True)
class ActionSample:
    """A clip with boxes.

    Attributes:
        pixels: (3, T, S, S) uint8.
        boxes: (N, 4) float32, corners in pixels.
        targets: (N, K) float, one where a box has an action.
    """

    pixels: Tensor
    boxes: Tensor
    targets: Tensor

    def to(self, device: torch.device) -> Self:
        """The sample on the device."""
        moved = {n: getattr(self, n).to(device) for n in ("pixels", "boxes", "targets")}
        return replace(self, **moved)


@dataclass(frozen=True, slots=True)
class ClipJitter:
    """How training clips are changed.

    Attributes:
        options: size of the crop, and of the frames that it is taken from.
        mirrored: for each action, what it is in the mirror; None: no such action. Empty: clips
            are not mirrored.
    """

    options: ActionOptions
    mirrored: Counterparts = ()

    @classmethod
    def of(
        cls, options: ActionOptions, actions: Sequence[str], *, flip: bool, symmetric: bool
    ) -> Self:
        """Half of the clips are mirrored.

        Args:
            options: of the crop.
            actions: their names.
            flip: mirror clips in which nobody does what names a direction.
            symmetric: mirror these, too: `left` becomes `right`.
        """
        mirrored = find_counterparts(actions, "mirror")
        if not symmetric:
            mirrored = tuple(c if c == i else None for i, c in enumerate(mirrored))
        return cls(options, mirrored if flip or symmetric else ())


class KeyFrameSamples:
    """The key frames of a data set that have boxes.

    Args:
        data: with the boxes.
        preprocessing: what the network's pixels are.
        jitter: how clips are changed.
        seed: of all that is drawn.
        reader: of videos.

    Raises:
        NoInputError: no key frame has a box.
    """

    def __init__(
        self,
        data: KeyFrameDataset,
        preprocessing: Preprocessing,
        jitter: ClipJitter,
        *,
        seed: int,
        reader: ClipReader,
    ) -> None:
        self._frames = [frame for frame in data.frames if training_boxes(frame)]
        if not self._frames:
            raise NoInputError(f"no key frame of {data.source} has a box")
        self._action_ids, self._preprocessing = data.action_ids, preprocessing
        self._jitter, self._seed, self._reader = jitter, seed, reader

    @property
    def unit(self) -> str:
        """What is counted."""
        return "key frames"

    def __len__(self) -> int:
        return len(self._frames)

    def __getitem__(self, draw: Draw) -> ActionSample | Failure:
        """The clip around a key frame, resized, cropped and mirrored at random."""
        frame, rng = self._frames[draw.sample_index], visit_rng(self._seed, draw, 0)
        pixels, options = self._preprocessing, self._jitter.options
        scale = rng.uniform(options.min_scale, options.max_scale)
        clips = clips_around(
            self._reader,
            frame.path,
            [frame.timestamp],
            num_frames=pixels.num_frames,
            frame_stride=pixels.frame_stride,
            short_side=round(pixels.crop_size * scale),
        )
        try:
            with closing(clips):
                _, clip = next(clips)
        except MediaError as error:
            return Failure(frame.path, error.kind, error.message)
        boxes = training_boxes(frame)
        targets = action_targets([box.actions for box in boxes], self._action_ids)
        corners = torch.tensor([box.corners for box in boxes])
        return cropped(clip, corners, targets, self._preprocessing, self._jitter, rng)

    def collate(self, visits: Sequence[ActionSample | Failure]) -> SampleBatch:
        """Samples and failures."""
        return SampleBatch.of(visits)

    def blank(self) -> SampleBatch:
        """A black clip with a box in which nobody does anything."""
        pixels = self._preprocessing
        size, frames = pixels.crop_size, pixels.num_frames
        clip = torch.zeros(3, frames, size, size, dtype=torch.uint8)
        box = torch.tensor([[0.0, 0.0, size, size]])
        return SampleBatch((ActionSample(clip, box, torch.zeros(1, len(self._action_ids))),))

    def close(self) -> None:
        """End the decoding process, if there is one."""
        self._reader.close()


def training_boxes(frame: KeyFrame) -> tuple[ActionBox, ...]:
    """True boxes, and detections: unlabelled ones are examples of doing none of the actions."""
    known = {box.corners for box in frame.truth}
    return frame.truth + tuple(box for box in frame.candidates if box.corners not in known)


def cropped(
    clip: Tensor,
    boxes: Tensor,
    targets: Tensor,
    preprocessing: Preprocessing,
    jitter: ClipJitter,
    rng: np.random.Generator,
) -> ActionSample:
    """A random crop of a clip, half of them mirrored, and what it shows of the boxes.

    Args:
        clip: (3, T, h, w) uint8; smaller than the crop, it is padded below and on the right.
        boxes: (N, 4) corners as fractions of the frame.
        targets: (N, K).
        preprocessing: the side of the crop, and the mean that pads.
        jitter: what to do.
        rng: draws.
    """
    size = preprocessing.crop_size
    height, width = clip.shape[-2:]
    top, left = (int(rng.integers(max(0, side - size) + 1)) for side in (height, width))
    clip = clip[..., top : top + size, left : left + size]
    corners = boxes * torch.tensor([width, height] * 2) - torch.tensor([left, top] * 2)
    rows, columns = clip.shape[-2:]
    swapped = _mirrored_targets(targets, jitter.mirrored)
    if rng.random() < 0.5 and swapped is not None:
        clip, targets = clip.flip(-1), swapped
        corners[:, [0, 2]] = columns - corners[:, [2, 0]]
    inside = torch.minimum(corners.clamp(min=0), torch.tensor([columns - 1, rows - 1] * 2))
    areas = [(c[:, 2:] - c[:, :2]).prod(1) for c in (inside, corners)]
    seen = areas[0] >= jitter.options.min_visible * areas[1]
    return ActionSample(_padded(clip, preprocessing), inside[seen].float(), targets[seen])


def _mirrored_targets(targets: Tensor, mirrored: Counterparts) -> Tensor | None:
    """(N, K) of the mirrored boxes; None where somebody does what has no mirror image."""
    done = targets.any(0).nonzero().flatten().tolist()
    if not mirrored or any(mirrored[action] is None for action in done):
        return None
    swapped = torch.zeros_like(targets)
    for action in done:
        swapped[:, mirrored[action]] = targets[:, action]
    return swapped


def _padded(clip: Tensor, preprocessing: Preprocessing) -> Tensor:
    """The clip at the crop's size, the rest in the mean colour."""
    size, (rows, columns) = preprocessing.crop_size, clip.shape[-2:]
    if (rows, columns) == (size, size):
        return clip
    colour = torch.tensor(preprocessing.mean) * 255
    square = colour.round().to(torch.uint8).view(3, 1, 1, 1).repeat(1, clip.shape[1], size, size)
    square[..., :rows, :columns] = clip
    return square
