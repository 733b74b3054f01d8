"""Frames of one video, gathered into clips as they arrive from the decoder."""

from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt

from hiera_cli.errors import MediaError
from hiera_cli.video.decode import Event, Frame, Planned, VideoInfo
from hiera_cli.video.sampling import ClipPlan

View = TypeVar("View")
ViewOf = Callable[[int, npt.NDArray[np.uint8]], View]
"""What is kept of a frame: (clip index, frame (H, W, 3) uint8) -> anything."""

_ALL_CLIPS = 0


class ClipCollector(Generic[View]):
    """Gathers what is kept of a video's frames until clips are complete.

    Evenly spread clips are handed out at the end, when the plan is certain; back-to-back windows
    as soon as their last frame is there, and frames that no later window needs are dropped.

    A frame that is not there is replaced by the last one before it, else by the first after it.

    Args:
        view_of: makes what is kept of a frame. With `shared` it is asked once a frame, for clip
            0; otherwise once for every clip that takes the frame (random crops differ by clip).
        shared: whether all clips see the same of a frame.
        streaming: whether clips are handed out before the video ends.
    """

    def __init__(self, view_of: ViewOf[View], *, shared: bool, streaming: bool) -> None:
        self.info: VideoInfo | None = None
        self._view_of = view_of
        self._shared = shared
        self._streaming = streaming
        self._clips: tuple[ClipPlan, ...] = ()
        self._num_done = 0
        self._views: dict[tuple[int, int], View] = {}  # (clip index, frame index)

    def take(self, event: Event) -> Iterator[tuple[ClipPlan, list[View]]]:
        """Note an event; yields the clips that it completes."""
        if isinstance(event, Frame):
            for clip_index in self._clips_with(event.frame_index):
                view = self._view_of(clip_index, event.rgb)
                self._views[clip_index, event.frame_index] = view
            if self._streaming:
                yield from self._complete_clips(event.frame_index)
            return
        self._clips = event.clips
        if isinstance(event, Planned):
            self._views.clear()
            return
        self.info = event.info
        yield from self._complete_clips(None)

    def _clips_with(self, frame_index: int) -> list[int]:
        if self._shared:
            return [_ALL_CLIPS]
        return [clip.clip_index for clip in self._clips if frame_index in clip.frame_indices]

    def _complete_clips(self, latest_index: int | None) -> Iterator[tuple[ClipPlan, list[View]]]:
        """Clips whose last frame is `latest_index` or earlier; all that are left for None."""
        while self._num_done < len(self._clips):
            clip = self._clips[self._num_done]
            if latest_index is not None and clip.frame_indices[-1] > latest_index:
                break
            self._num_done += 1
            owner = _ALL_CLIPS if self._shared else clip.clip_index
            yield clip, [self._nearest(owner, index) for index in clip.frame_indices]
        if latest_index is not None:
            self._forget_used_frames(latest_index)

    def _nearest(self, owner: int, frame_index: int) -> View:
        if (owner, frame_index) in self._views:
            return self._views[owner, frame_index]
        there = [index for clip, index in self._views if clip == owner]
        if not there:
            raise MediaError("no_frames", "none of the sampled frames could be decoded")
        earlier = [index for index in there if index < frame_index]
        return self._views[owner, max(earlier) if earlier else min(there)]

    def _forget_used_frames(self, latest_index: int) -> None:
        if self._num_done == len(self._clips):
            return
        first_needed = self._clips[self._num_done].frame_indices[0]
        used = [key for key in self._views if key[1] < min(first_needed, latest_index)]
        for key in used:
            del self._views[key]
