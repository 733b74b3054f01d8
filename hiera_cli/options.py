"""What commands can be told: plain values with their defaults, each checked where it is made.

A choice is a `Literal`, and every options dataclass calls `check_choices` first thing, so that a
value means the same from the command line and from Python, and so does its error.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from types import NoneType
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from hiera_cli.errors import UsageError

Options = TypeVar("Options")

ProtocolName = Literal["fast", "balanced", "paper", "dense"]
SamplingName = Literal["stride", "segments"]
CropMode = Literal["center", "squash"]
DtypeName = Literal["auto", "float32", "bfloat16", "float16"]
BackendName = Literal["auto", "torch", "compile", "onnx", "openvino", "openvino-int8"]
Layer = Literal["stage1", "stage2", "stage3", "stage4", "final", "stages"]
"""`stages`: the means of stages 2 and 3 beside the final feature."""
Pool = Literal["mean", "max", "none"]
FeatureDtype = Literal["float32", "float16"]
ArrayLayout = Literal["npy", "actionformer", "video-features"]
OnExisting = Literal["resume", "overwrite", "error"]
WorkEngine = Literal["local", "ray"]
Symmetry = Literal["mirror", "upside-down", "reversal", "transposition"]
"""Ways to turn a clip that leave it a clip of something."""

MAX_PIXELS = 8192 * 4320  # a picture in 8K, the largest that cameras write
TIMEOUT_SECONDS = 600.0
MIN_HOP_SECONDS = 0.01
MIN_FPS, MAX_FPS = 0.001, 100_000.0

_DEVICE = re.compile(r"auto|cpu|mps|cuda(:[0-9]{1,3})?")


def check_choices(options: Any) -> None:
    """Refuse a value that is none of the choices of its `Literal` field.

    Raises:
        UsageError: the message names the flag, the hint the choices.
    """
    for name, hint in get_type_hints(type(options)).items():
        choices, value = _choices(hint), getattr(options, name)
        for item in value if isinstance(value, list | tuple) else [value]:
            if choices and item is not None and item not in choices:
                raise UsageError(
                    f"{_flag(name)} is '{item}'", hint=f"use one of {', '.join(choices)}"
                )


def _choices(hint: Any) -> tuple[str, ...]:
    """The choices of a `Literal`, of one that may be None, or of a list of them; else nothing."""
    if get_origin(hint) is Literal:
        return get_args(hint)
    parts = [_choices(part) for part in get_args(hint) if part is not NoneType]
    return next((part for part in parts if part), ())


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def check_at_least(least: float, **values: float | None) -> None:
    """Refuse numbers below `least`, which NaN is too; None is no number.

    Raises:
        UsageError: the message names the flag.
    """
    for name, value in values.items():
        if value is not None and not value >= least:
            raise UsageError(f"{_flag(name)} must be at least {least:g}, not {value}")


def check_device(name: str) -> None:
    """Refuse what names no device; whether the machine has it is found out when it is used.

    Raises:
        UsageError: an unknown kind of device.
    """
    if not _DEVICE.fullmatch(name):
        raise UsageError(f"unknown device '{name}'", hint="use auto, cpu, cuda, cuda:N or mps")


def auto_or_number(flag: str, value: str) -> int | None:
    """The number that a `--batch-size` or `--workers` value means; None for `auto`.

    Raises:
        UsageError: neither `auto` nor a number of at least 1.
    """
    if value == "auto":
        return None
    if not value.isdecimal():
        raise UsageError(f"{flag} takes 'auto' or a number, not '{value}'")
    if int(value) < 1:
        raise UsageError(f"{flag} must be at least 1, not {value}")
    return int(value)


def parse_input_size(text: str) -> tuple[int, ...]:
    """An `--input-size`: `32x224` is (32, 224, 224), `448` is (448, 448).

    Raises:
        UsageError: neither of these.
    """
    parts = text.lower().replace("×", "x").split("x")
    if len(parts) > 2 or not all(part.isdecimal() and 0 < int(part) <= 8192 for part in parts):
        hint = "use FRAMESxPIXELS, as 32x224, or PIXELS for an image model"
        raise UsageError(f"--input-size is '{text}'", hint=hint)
    *frames, side = map(int, parts)
    return (*frames, side, side)


def check_views(
    protocol: str | None, *, clips: int | None, crops: int | None, hop: float | None
) -> None:
    """Refuse numbers of views that no protocol takes.

    Raises:
        UsageError: a number out of range, or a hop without back-to-back windows.
    """
    check_at_least(1, clips=clips)
    if crops not in (None, 1, 3):
        raise UsageError(f"--crops must be 1 or 3, not {crops}")
    if hop is not None and not MIN_HOP_SECONDS <= hop < float("inf"):
        raise UsageError(f"--hop must be at least {MIN_HOP_SECONDS} seconds, not {hop}")
    if hop is not None and protocol is not None and (protocol != "dense" or clips is not None):
        raise UsageError("--hop needs the dense protocol", hint="add --protocol dense")


@dataclass(frozen=True, kw_only=True)
class DecodeOptions:
    """What reading one file may cost; the same for every command that reads videos.

    Attributes:
        max_pixels: largest frame that is decoded.
        timeout: seconds that decoding one video may take; 0 for no limit.
        isolate: decode in child processes; None decides by the number of videos.
        assume_fps: the frame rate of all videos, whatever they state; None: what they state.
    """

    max_pixels: int = MAX_PIXELS
    timeout: float = TIMEOUT_SECONDS
    isolate: bool | None = None
    assume_fps: float | None = None

    def __post_init__(self) -> None:
        """Refuse values that cannot mean anything.

        Raises:
            UsageError: a value that is no choice or out of range.
        """
        check_choices(self)
        check_at_least(1, max_pixels=self.max_pixels)
        check_at_least(0, timeout=self.timeout)
        if self.assume_fps is not None and not MIN_FPS <= self.assume_fps <= MAX_FPS:
            raise UsageError(
                f"--assume-fps must be between {MIN_FPS} and {MAX_FPS:g}, not {self.assume_fps}"
            )


@dataclass(frozen=True, kw_only=True)
class EngineOptions(DecodeOptions):
    """Which model runs over which views of a video, and on what.

    Attributes:
        model: zoo name (`NAME` or `NAME.CHECKPOINT`), model folder or weights file.
        weights: file that replaces the weights of a zoo name.
        labels: file with class names.
        input_size: `TxS` frames and pixels (`S` for image models) other than the model's own; its
            position embeddings are interpolated.
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
        square_pixels: stretch frames whose pixels are not square.
        hwaccel: `none`, `auto` or one of FFmpeg's device types: hardware that decodes.
    """

    model: str = "hiera_base_16x224"
    weights: str | None = None
    labels: str | None = None
    input_size: str | None = None
    protocol: ProtocolName | None = None
    clips: int | None = None
    crops: int | None = None
    hop: float | None = None
    device: str = "auto"
    dtype: DtypeName = "auto"
    backend: BackendName = "torch"
    batch_size: str = "auto"
    workers: str = "auto"
    threads: int | None = None
    offline: bool = False
    cache_dir: str | None = None
    square_pixels: bool = False
    hwaccel: str = "none"

    def __post_init__(self) -> None:
        """Refuse values that cannot mean anything.

        Raises:
            UsageError: a value that is no choice or out of range.
        """
        super().__post_init__()
        check_views(self.protocol, clips=self.clips, crops=self.crops, hop=self.hop)
        if self.input_size is not None:
            parse_input_size(self.input_size)
            if self.backend not in ("torch", "compile"):
                raise UsageError("--input-size needs --backend torch or compile")
        check_device(self.device)
        auto_or_number("--batch-size", self.batch_size)
        auto_or_number("--workers", self.workers)
        check_at_least(1, threads=self.threads)


@dataclass(frozen=True, kw_only=True)
class ProbeOptions(DecodeOptions):
    """What is asked about video files.

    Attributes:
        protocol: `fast`, `balanced`, `paper` or `dense`: whose views are listed.
        clips: number of clips instead of the protocol's.
        crops: 1 or 3 instead of the protocol's.
        hop: seconds from window to window (`dense` only).
        count: decode everything to count the frames; else trust the container.
    """

    protocol: ProtocolName = "balanced"
    clips: int | None = None
    crops: int | None = None
    hop: float | None = None
    count: bool = True

    def __post_init__(self) -> None:
        """Refuse values that cannot mean anything.

        Raises:
            UsageError: a value that is no choice or out of range.
        """
        super().__post_init__()
        check_views(self.protocol, clips=self.clips, crops=self.crops, hop=self.hop)


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
