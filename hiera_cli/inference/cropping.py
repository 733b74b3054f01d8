"""Where frames become crops: at the workers on the CPU, or on the device that the model is on.

A GPU resizes a clip in less time than it takes a core to resize one frame, and the frames of a
small video are fewer bytes than its crops in float32. The arithmetic is `video/crops.py`'s.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

import numpy as np
import numpy.typing as npt
import torch

from hiera_cli.video.crops import CropPlan, Crops, crop_frame, crop_frames

MAX_WHOLE_PIXELS = 2**19  # of a frame that travels whole: above, its crops are fewer bytes

Kept = Crops | torch.Tensor
"""What a worker keeps of a frame: its crops, or all of it, (H, W, C) uint8."""


class Cropper:
    """Makes crops of frames, in two steps: one for the worker, one for who fills the batch.

    Args:
        plan: which crops.
        device: where small frames are resized; None: all on the CPU, in the first step.
    """

    def __init__(self, plan: CropPlan, device: torch.device | None) -> None:
        self._plan = plan
        self._device = device
        self._stream: torch.cuda.Stream | None = None
        if device is not None and device.type == "cuda":
            self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]

    def keep(self, frame: npt.NDArray[np.uint8]) -> Kept:
        """The worker's step, of a frame (H, W, C).

        Raises:
            MediaError: a shape so extreme that the resized frame would not fit in memory.
        """
        height, width = frame.shape[:2]
        is_odd = max(height, width) > 4 * min(height, width)
        if self._device is None or is_odd or height * width > MAX_WHOLE_PIXELS:
            return crop_frame(frame, self._plan)
        return torch.from_numpy(frame.copy())  # the decoder writes the next one over it

    def empty(self, shape: Sequence[int], *, pin_memory: bool) -> torch.Tensor:
        """Room for the views of a batch, float32; memory is taken as it is filled."""
        if self._device is None:
            return torch.empty(*shape, pin_memory=pin_memory)
        with self._aside():
            return torch.empty(*shape, device=self._device)

    def clip(self, frames: Sequence[Kept]) -> list[Crops]:
        """The second step: the crops of each frame of a clip, whole frames on the device."""
        whole = [frame for frame in frames if isinstance(frame, torch.Tensor)]
        alike = len({frame.shape for frame in whole}) == 1 and len(whole) == len(frames)
        if not alike:  # crops already, or the size changed within the clip
            return [self._alone(frame) for frame in frames]
        crops = self._crop(torch.stack(whole))
        return [tuple(crop[index] for crop in crops) for index in range(len(frames))]

    def _alone(self, frame: Kept) -> Crops:
        if isinstance(frame, tuple):
            return frame
        return tuple(crop[0] for crop in self._crop(frame[None]))

    def _crop(self, frames: torch.Tensor) -> Crops:
        """Frames (T, H, W, C) of the CPU -> (T, C, S, S) on the device, for each crop."""
        with self._aside():
            pinned = frames.pin_memory() if self._stream is not None else frames
            return crop_frames(pinned.to(self._device, non_blocking=True), self._plan)

    def write(self, crops: Sequence[Crops], crop_index: int, view: torch.Tensor) -> None:
        """Copy one crop of every frame into `view` (C, T, S, S)."""
        with self._aside():
            for time_index, frame in enumerate(crops):
                view[:, time_index].copy_(frame[crop_index], non_blocking=True)

    def hand_over(self, pixels: torch.Tensor) -> torch.Tensor:
        """A batch, when the device's computing stream may read it."""
        if self._stream is not None:
            computing = torch.cuda.current_stream(self._device)
            computing.wait_stream(self._stream)
            pixels.record_stream(computing)  # or its memory would go to a later batch too early
        return pixels

    def _aside(self) -> AbstractContextManager[object]:
        """A GPU resizes the next batch while it computes this one."""
        return nullcontext() if self._stream is None else torch.cuda.stream(self._stream)
