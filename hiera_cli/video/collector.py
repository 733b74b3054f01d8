"""Frames of one video, gathered into clips as they arrive from the decoder."""

from collections.abc import Iterator

import torch

from hiera_cli.errors import MediaError
from hiera_cli.video.crops import CropPlan, crop_frame
from hiera_cli.video.decode import Finished, Frame, Planned, VideoInfo
from hiera_cli.video.sampling import ClipPlan

Crops = tuple[torch.Tensor, ...]
"""The crops of one frame, each (C, S, S) float32 in 0..255."""


class ClipCollector:
    """Gathers the cropped frames of a video until clips are complete.

    Evenly spread clips are handed out at the end, when the plan is certain; back-to-back windows
    as soon as their last frame is there, and frames that no later window needs are dropped.
    """

    def __init__(self, crop_plan: CropPlan, *, streaming: bool) -> None:
        self.info: VideoInfo | None = None
        self._crop_plan = crop_plan
        self._streaming = streaming
        self._clips: tuple[ClipPlan, ...] = ()
        self._num_done = 0
        self._frames: dict[int, Crops] = {}

    def take(self, event: Planned | Frame | Finished) -> Iterator[tuple[ClipPlan, list[Crops]]]:
        """Note an event; yields the clips that it completes."""
        if isinstance(event, Frame):
            self._frames[event.frame_index] = crop_frame(event.rgb, self._crop_plan)
            if self._streaming:
                yield from self._complete_clips(event.frame_index)
            return
        self._clips = event.clips
        if isinstance(event, Planned):
            self._frames.clear()
            return
        self.info = event.info
        yield from self._complete_clips(None)

    def _complete_clips(self, latest_index: int | None) -> Iterator[tuple[ClipPlan, list[Crops]]]:
        """Clips whose last frame is `latest_index` or earlier; all that are left for None."""
        while self._num_done < len(self._clips):
            clip = self._clips[self._num_done]
            if latest_index is not None and clip.frame_indices[-1] > latest_index:
                break
            self._num_done += 1
            yield clip, [self._nearest(index) for index in clip.frame_indices]
        if latest_index is not None:
            self._forget_used_frames()

    def _nearest(self, frame_index: int) -> Crops:
        """The frame, or the last one before it that decoded."""
        if frame_index in self._frames:
            return self._frames[frame_index]
        earlier = [index for index in self._frames if index < frame_index]
        if not self._frames:
            raise MediaError("no_frames", "none of the sampled frames could be decoded")
        return self._frames[max(earlier) if earlier else min(self._frames)]

    def _forget_used_frames(self) -> None:
        if self._num_done == len(self._clips):
            return
        first_needed = self._clips[self._num_done].frame_indices[0]
        latest = max(self._frames)
        for index in [i for i in self._frames if i < first_needed and i != latest]:
            del self._frames[index]
