"""Protocols: how many clips of which frames, and which crops, are taken from a video."""

from dataclasses import dataclass, replace

from hiera_cli.errors import UsageError
from hiera_cli.options import SamplingName

TARGET_FPS = 30.0


@dataclass(frozen=True, slots=True)
class Protocol:
    """How views are taken from one video.

    Attributes:
        name: the protocol's name, or `custom` once its numbers were changed.
        num_clips: clips spread evenly over the video; None for back-to-back windows.
        num_crops: 1 (center of a 256-pixel short side) or 3 (thirds of a 224-pixel short side),
            scaled with the model's input size.
        num_frames: T, frames in a clip.
        frame_stride: τ, distance of sampled frames at 30 frames per second.
        hop_seconds: start-to-start distance of back-to-back windows; None: one window length.
        sampling: `stride` takes frames τ apart; `segments` one frame of each of T equal parts of
            the video.
        draws: numbers in [0, 1) that choose at random, for training: one a clip (where it starts)
            or, with `segments`, one a frame; None: evenly spread clips, the middle of segments.
        centers_seconds: ascending instants, counted from the first frame, around which clips are
            taken, one each and nothing else; None: as the other fields say.
    """

    name: str
    num_clips: int | None
    num_crops: int
    num_frames: int = 16
    frame_stride: int = 4
    hop_seconds: float | None = None
    sampling: SamplingName = "stride"
    draws: tuple[float, ...] | None = None
    centers_seconds: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        if self.num_clips is not None and self.num_clips < 1:
            raise UsageError(f"--clips must be at least 1, not {self.num_clips}")
        if self.num_crops not in (1, 3):
            raise UsageError(f"--crops must be 1 or 3, not {self.num_crops}")
        if self.num_frames < 1 or self.frame_stride < 1:
            raise UsageError("a clip needs at least one frame and a stride of at least one")
        if self.hop_seconds is not None and not 0.01 <= self.hop_seconds < float("inf"):
            raise UsageError(f"--hop must be at least 0.01 seconds, not {self.hop_seconds}")
        if self.sampling == "segments" and self.num_clips is None:
            raise UsageError("segments cover the whole video: there are no windows to lay")
        if self.draws is not None and len(self.draws) != self.num_draws:
            raise ValueError(f"{len(self.draws)} draws where {self.num_draws} are needed")
        if self.centers_seconds is not None and list(self.centers_seconds) != sorted(
            self.centers_seconds
        ):
            raise ValueError("the centers of clips must ascend")

    @property
    def window_seconds(self) -> float:
        """Length of a clip in seconds."""
        return self.num_frames * self.frame_stride / TARGET_FPS

    @property
    def num_draws(self) -> int:
        """How many random numbers choose the clips."""
        return (self.num_clips or 0) * (self.num_frames if self.sampling == "segments" else 1)


PROTOCOLS: dict[str, Protocol] = {
    "fast": Protocol("fast", num_clips=1, num_crops=1),
    "balanced": Protocol("balanced", num_clips=5, num_crops=1),
    "paper": Protocol("paper", num_clips=5, num_crops=3),
    "dense": Protocol("dense", num_clips=None, num_crops=1),
}


def make_protocol(
    name: str,
    *,
    clips: int | None = None,
    crops: int | None = None,
    hop_seconds: float | None = None,
    num_frames: int = 16,
    frame_stride: int = 4,
) -> Protocol:
    """A named protocol, with the numbers that the user changed.

    Raises:
        UsageError: an unknown name, a number out of range, or a hop without `dense`.
    """
    if name not in PROTOCOLS:
        raise UsageError(f"unknown protocol '{name}'", hint=f"choose one of {', '.join(PROTOCOLS)}")
    chosen = replace(PROTOCOLS[name], num_frames=num_frames, frame_stride=frame_stride)
    if clips is not None and clips != chosen.num_clips:
        chosen = replace(chosen, name="custom", num_clips=clips)
    if crops is not None and crops != chosen.num_crops:
        chosen = replace(chosen, name="custom", num_crops=crops)
    if hop_seconds is not None:
        if chosen.num_clips is not None:
            raise UsageError("--hop needs the dense protocol", hint="add --protocol dense")
        chosen = replace(chosen, hop_seconds=hop_seconds)
    return chosen
