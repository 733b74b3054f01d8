"""From `CLIP#START-END` to vectors, with the model that made the table."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch

from hiera_cli.errors import UsageError
from hiera_cli.inference.engine import Engine
from hiera_cli.options import EngineOptions
from hiera_cli.tasks.features.extract import open_feature_engine, wanted
from hiera_cli.tasks.features.options import FeatureOptions
from hiera_cli.tasks.search.rows import Vectors
from hiera_cli.video.clips import ClipReader
from hiera_cli.video.crops import crop_frame

Picture = npt.NDArray[np.uint8]
Variant = Literal["plain", "mirrored", "letterboxed", "pillarboxed"]

_RANGE = re.compile(r"(?P<path>.*)#(?P<start>[0-9.:]+)-(?P<end>[0-9.:]+)", re.DOTALL)
HOPS_A_WINDOW = 4


@dataclass(frozen=True, slots=True)
class LikeClip:
    """A clip to look for: a file, or the part of it between two times."""

    path: str
    start_seconds: float = 0.0
    end_seconds: float = float("inf")


def parse_like(text: str) -> LikeClip:
    """`clip.mp4`, or `clip.mp4#12.5-16` in seconds or `1:02-1:07`; a file of that name goes first.

    Raises:
        UsageError: times that mean nothing.
    """
    match = _RANGE.fullmatch(text)
    if match is None or Path(text).exists():
        return LikeClip(text)
    try:
        start, end = _seconds(match["start"]), _seconds(match["end"])
    except ValueError:
        raise UsageError(f"'{text}' names no times", hint="write CLIP#START-END") from None
    if not start < end:
        raise UsageError(f"'{text}' ends before it starts")
    return LikeClip(match["path"], start, end)


def _seconds(text: str) -> float:
    total = 0.0
    for part in text.split(":"):
        total = 60 * total + float(part)
    return total


def open_query_engine(table: Path, made: Mapping[str, Any], options: EngineOptions) -> Engine:
    """The model of a table, ready for clips of any length.

    Raises:
        UsageError: the weights are others than those of the table.
        WeightsError: the model or its weights are not available.
    """
    if "boxes" in made:
        raise UsageError(
            f"{table} holds boxes, not clips", hint="look for one of them: --like-row NUMBER"
        )
    own = replace(
        options,
        model=made["notes"]["model"],
        weights=options.weights or made["notes"]["weights"],
        square_pixels=made["square_pixels"],
    )
    engine = open_feature_engine(own, _features(made))
    if engine.loaded.weights_sha256 != made["weights_sha256"]:
        raise UsageError(
            f"{table} was made with other weights ({made['weights_sha256'][:12]}…)",
            hint="name them with --weights",
        )
    protocol = replace(engine.loader.protocol, **made["protocol"])
    hop = (protocol.hop_seconds or protocol.window_seconds) / HOPS_A_WINDOW
    dense = replace(protocol, name="dense", num_clips=None, hop_seconds=max(hop, 0.01))
    return replace(engine, loader=replace(engine.loader, protocol=dense))


def _features(made: Mapping[str, Any]) -> FeatureOptions:
    return FeatureOptions(
        layer=made["layer"], pool=made["pool"], feature_dtype=made["feature_dtype"]
    )


def query_vectors(
    like: LikeClip, engine: Engine, made: Mapping[str, Any], *, variant: Variant = "plain"
) -> Vectors:
    """Features (Q, D) of the windows of a clip, or of a changed copy of it.

    Windows lie inside the range that is asked for; where none does, the one that fits best.

    Raises:
        MediaError: the clip cannot be read.
    """
    plan, change = engine.loader.crop_plan, CHANGES[variant]

    def view_of(_: int, frame: Picture) -> torch.Tensor:
        return crop_frame(np.ascontiguousarray(change(frame)), plan)[plan.num_crops // 2]

    reader = ClipReader(
        isolate=False,
        limits=engine.loader.limits,
        square_pixels=engine.loader.square_pixels,
    )
    clips = reader.read(like.path, engine.loader.protocol, view_of=view_of, shared=True)
    found, fits = [], []
    for clip, frames in clips:
        pixels = torch.stack(frames, dim=1) if len(frames) > 1 else frames[0]
        output = engine.backend.run(pixels[None], wanted(_features(made))).wait()
        assert output.features is not None, "the backend was asked for features"
        found.append(output.features[0].numpy().reshape(-1))
        fits.append((clip.start_seconds, clip.end_seconds))
    chosen = [k for k, times in enumerate(fits) if _inside(times, like)]
    if not chosen:
        ends = like.start_seconds + min(like.end_seconds, fits[-1][1])
        chosen = [min(range(len(fits)), key=lambda k: abs(sum(fits[k]) - ends))]
    return np.stack([found[k] for k in chosen]).astype(np.float32)


def _inside(times: tuple[float, float], like: LikeClip) -> bool:
    slack = 1e-3
    return times[0] >= like.start_seconds - slack and times[1] <= like.end_seconds + slack


def _bars(frame: Picture, axis: int) -> Picture:
    """The frame between black bars that make it a third longer: 16:9 in 4:3, or 4:3 in 16:9.

    Bars are of an even number of pixels, as subsampled colour wants them: one more or less moves
    the bars' edges within the patches, and stage 1 sees little else so strongly.
    """
    bar = frame.shape[axis] // 12 * 2
    thick = [(0, 0)] * 3
    thick[axis] = (bar, bar)
    return np.pad(frame, thick)


CHANGES: dict[Variant, Callable[[Picture], Picture]] = {
    "plain": lambda frame: frame,
    "mirrored": lambda frame: frame[:, ::-1],
    "letterboxed": lambda frame: _bars(frame, 0),
    "pillarboxed": lambda frame: _bars(frame, 1),
}
