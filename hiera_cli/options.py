"""What commands can be told: plain values with their defaults, checked where they are used."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal, TypeVar

from hiera_cli.errors import UsageError

Options = TypeVar("Options")
SamplingName = Literal["stride", "segments"]


class Symmetry(StrEnum):
    """Ways to turn a clip that leave it a clip of something."""

    MIRROR = "mirror"
    UPSIDE_DOWN = "upside-down"
    REVERSAL = "reversal"
    TRANSPOSITION = "transposition"


@dataclass(frozen=True)
class EngineOptions:
    """Which model runs over which views of a video, and on what.

    Attributes:
        model: zoo name (`NAME` or `NAME.CHECKPOINT`), model folder or weights file.
        weights: file that replaces the weights of a zoo name.
        labels: file with class names.
        protocol: `fast`, `balanced`, `paper` or `dense`; None for the command's own default.
        clips: number of clips instead of the protocol's.
        crops: 1 or 3 instead of the protocol's.
        hop: seconds from window to window (`dense` only).
        device: `auto`, `cpu`, `cuda`, `cuda:N` or `mps`.
        dtype: `auto`, `float32`, `bfloat16` or `float16`.
        backend: `torch`, `compile`, `onnx`, `openvino`, `openvino-int8` or `auto`.
        batch_size: views in a batch, or `auto`.
        workers: videos decoded at the same time, or `auto`.
        threads: CPU threads of the model; None for PyTorch's default.
        offline: never use the network.
        cache_dir: where weights are kept.
        max_pixels: largest frame that is decoded.
        timeout: seconds that decoding one video may take; 0 for no limit.
        isolate: decode in child processes; None decides by the number of videos.
        square_pixels: stretch frames whose pixels are not square.
        hwaccel: `none`, `auto` or one of FFmpeg's device types: hardware that decodes.
    """

    model: str = "hiera_base_16x224"
    weights: str | None = None
    labels: str | None = None
    protocol: str | None = None
    clips: int | None = None
    crops: int | None = None
    hop: float | None = None
    device: str = "auto"
    dtype: str = "auto"
    backend: str = "torch"
    batch_size: str = "auto"
    workers: str = "auto"
    threads: int | None = None
    offline: bool = False
    cache_dir: str | None = None
    max_pixels: int = 8192 * 4320
    timeout: float = 600.0
    isolate: bool | None = None
    square_pixels: bool = False
    hwaccel: str = "none"


@dataclass(frozen=True)
class FeatureOptions:
    """Which features are taken, and how a row is named.

    Attributes:
        layer: `stage1` to `stage4`, or `final`: pooled and normalised, what the head sees.
        pool: `mean`, `max` or `none` (all tokens, in T, H, W order).
        feature_dtype: `float32` or `float16`.
        scores: class probabilities as well.
        fps: frames a second that an image model looks at; None for one.
        absolute_paths: name videos by absolute path, not relative to the folder given.
    """

    layer: str = "final"
    pool: str = "mean"
    feature_dtype: str = "float32"
    scores: bool = False
    fps: float | None = None
    absolute_paths: bool = False


@dataclass(frozen=True)
class TableOptions:
    """How a table is written next to what is there already.

    Attributes:
        on_existing: `resume`, `overwrite` or `error`.
        retry_failed: try the videos again that failed in an earlier run.
        rows_per_shard: rows in each file when the output is a folder; None for 100,000.
        shard: `I/N`, the I-th of N shares of the videos, or `auto` (SLURM array, torchrun).
        devices: several devices that share the work, as `0,1`; None for `device`.
    """

    on_existing: str = "resume"
    retry_failed: bool = False
    rows_per_shard: int | None = None
    shard: str | None = None
    devices: str | None = None


@dataclass(frozen=True)
class ProbeOptions:
    """What is asked about video files.

    Attributes:
        protocol: `fast`, `balanced`, `paper` or `dense`: whose views are listed.
        clips: number of clips instead of the protocol's.
        crops: 1 or 3 instead of the protocol's.
        hop: seconds from window to window (`dense` only).
        count: decode everything to count the frames; else trust the container.
        max_pixels: largest frame that is decoded.
        timeout: seconds that decoding one video may take; 0 for no limit.
        isolate: decode in a child process; None decides by the number of videos.
    """

    protocol: str = "balanced"
    clips: int | None = None
    crops: int | None = None
    hop: float | None = None
    count: bool = True
    max_pixels: int = 8192 * 4320
    timeout: float = 600.0
    isolate: bool | None = None


@dataclass(frozen=True)
class SynthOptions:
    """Which videos of camera movements are rendered.

    Attributes:
        out: folder; a class folder is made in it for each movement.
        num: number of videos, spread evenly over the classes.
        seed: of all randomness; the same seed gives the same frames, whatever `workers` is.
        workers: processes that render at the same time.
        width, height: of the videos in pixels, even numbers.
        source: real videos (files, folders, globs) to move a virtual camera in; None: made-up
            places. Windows in which their own camera moves are left out.
        still: film single frames of the real videos, not the playing videos.
        degrade: add noise, blur, flicker, bars and emblems to real videos, as made-up places have.
        movers: let large things pass in front of real videos, in six clips of ten.
        plain: easy ones: finely patterned grounds in clean pictures, nothing moves in them, and
            the camera moves evenly at a middling pace.
    """

    out: Path
    num: int = 2000
    seed: int = 0
    workers: int = 1
    width: int = 120
    height: int = 80
    source: list[str] | None = None
    still: bool = False
    degrade: bool = False
    movers: bool = False
    plain: bool = False

    def __post_init__(self) -> None:
        """Refuse numbers that render nothing.

        Raises:
            UsageError: a value out of range.
        """
        if self.num < 1 or self.workers < 1 or self.seed < 0:
            raise UsageError("--num and --workers must be at least 1, --seed not negative")
        if min(self.width, self.height) < 32 or self.width % 2 or self.height % 2:
            raise UsageError(
                f"--width and --height must be even and at least 32, not {self.width}×{self.height}"
            )
        if (self.still or self.degrade or self.movers) and not self.source:
            raise UsageError(
                "--still, --degrade and --movers are about real video",
                hint="name one with --source",
            )
        if self.plain and self.source:
            raise UsageError("--plain is about made-up places, --source about real ones")


def with_changes(options: Options, changes: Mapping[str, Any]) -> Options:
    """The options with some fields changed by name.

    Raises:
        UsageError: there is no option of that name.
    """
    known = [field.name for field in fields(options)]  # type: ignore[arg-type]
    for name in changes:
        if name not in known:
            raise UsageError(f"unknown option '{name}'", hint=f"there are {', '.join(known)}")
    return replace(options, **changes)  # type: ignore[type-var]
