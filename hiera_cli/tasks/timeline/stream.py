"""A timeline of a video that is still going on: windows of the latest frames, in bounded memory."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
import torch

from hiera_cli.inference.backend import Wanted
from hiera_cli.inference.engine import Engine
from hiera_cli.tasks.timeline.labelling import make_labeller
from hiera_cli.tasks.timeline.options import TimelineOptions
from hiera_cli.tasks.timeline.segments import Segment
from hiera_cli.tasks.timeline.timeline import name_spans
from hiera_cli.video.crops import crop_frame
from hiera_cli.video.protocols import TARGET_FPS
from hiera_cli.video.stream import read_camera, read_pipe

Picture = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Change:
    """The labels are others from here on, as far as is known now.

    Attributes:
        path: the stream.
        at_seconds: center of the first window that shows it.
        labels: what holds now.
    """

    path: str
    at_seconds: float
    labels: tuple[str, ...]


def open_stream(name: str, stdin: BinaryIO, *, max_pixels: int) -> Iterator[tuple[float, Picture]]:
    """The frames of `-` (the pipe) or of a camera by its device; errors as in `read_pipe`."""
    if name == "-":
        return read_pipe(stdin, max_pixels=max_pixels)
    return read_camera(name, max_pixels=max_pixels)


def follow_stream(
    frames: Iterable[tuple[float, Picture]], engine: Engine, how: TimelineOptions, *, name: str
) -> Iterator[Change | Segment]:
    """What happens in a stream, while it happens.

    Args:
        frames: (seconds, frame (H, W, 3) uint8), in order.
        engine: from `open_timeline_engine`.
        how: smoothing, threshold and labels.
        name: what the stream is called in the records.

    Yields:
        a `Change` when other labels hold, and every `Segment` when both its ends are known.
    """
    labels = engine.loaded.labels
    chosen, shown = how.chosen_labels(labels), frozenset[int]()
    labeller, latest = None, 0.0
    for center, pixels, seconds in _windows(frames, engine):
        latest = seconds
        labeller = labeller or make_labeller(engine, how, 0.0)
        output = engine.backend.run(pixels, Wanted(scores=True)).wait()
        assert output.scores is not None, "the backend was asked for scores"
        spans = list(labeller.push(center, output.scores[0].numpy()))
        if labeller.states != shown:
            shown = labeller.states
            now = tuple(labels[k] for k in sorted(shown) if labels[k] in chosen)
            yield Change(name, center, now)
        yield from name_spans(spans, path=name, labels=labels, chosen=chosen)
    if labeller is not None:
        left = labeller.finish(latest)
        yield from name_spans(left, path=name, labels=labels, chosen=chosen)


def _windows(
    frames: Iterable[tuple[float, Picture]], engine: Engine
) -> Iterator[tuple[float, torch.Tensor, float]]:
    """(center in seconds, pixels (1, 3, T, S, S) or (1, 3, S, S), latest time) of each window.

    A window's frames are those on display at its T instants, as in dense sampling. A stream that
    ends before the first window is full gives one all the same.
    """
    protocol, plan = engine.loader.protocol, engine.loader.crop_plan
    length = protocol.window_seconds
    hop = protocol.hop_seconds or length
    instants = np.linspace(0, length - 1 / TARGET_FPS, protocol.num_frames)
    kept: deque[tuple[float, torch.Tensor]] = deque()
    start, seconds = 0.0, 0.0
    for seconds, picture in frames:
        while kept and seconds > start + instants[-1]:
            yield *_gather(kept, start + instants), seconds
            start += hop
        while len(kept) > 1 and kept[1][0] <= start:
            kept.popleft()
        kept.append((seconds, crop_frame(picture, plan)[0]))
    if kept and start == 0.0:
        yield *_gather(kept, instants), seconds


def _gather(
    kept: deque[tuple[float, torch.Tensor]], instants: npt.NDArray[np.float64]
) -> tuple[float, torch.Tensor]:
    """The middle of what is shown at some instants, and its pixels."""
    times = np.array([seconds for seconds, _ in kept])
    places = np.clip(np.searchsorted(times, instants + 1e-6, side="right") - 1, 0, None)
    clip = torch.stack([kept[place][1] for place in places], dim=1)
    center = float(times[places[0]] + times[places[-1]]) / 2
    return center, (clip if len(instants) > 1 else clip.squeeze(1))[None]
