"""How pixels become a network's input: the part of a model that its weights do not hold."""

from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, Self

from hiera_cli.errors import WeightsError
from hiera_cli.model.config import HieraConfig
from hiera_cli.options import CropMode, SamplingName

_LIMITS = {"num_frames": 4096, "frame_stride": 4096, "crop_size": 8192, "short_side": 8192}


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """How pixels become a network's input; by default as for the official Kinetics models.

    Attributes:
        num_frames: frames of one clip; 1 for an image model.
        frame_stride: frames between two frames of a clip, at 30 frames a second.
        crop_size: height and width of the network's input in pixels.
        short_side: pixels of the short side before a single center crop.
        mean, std: per channel (RGB), on values in 0..1.
        interpolation: how frames are resized.
        sampling: frames a stride apart, or one of each of T parts of the video.
        crop_mode: what a view with a single crop shows: the center of the frame, or all of it,
            squashed to a square.
    """

    num_frames: int = 16
    frame_stride: int = 4
    crop_size: int = 224
    short_side: int = 256
    mean: tuple[float, float, float] = (0.45, 0.45, 0.45)
    std: tuple[float, float, float] = (0.225, 0.225, 0.225)
    interpolation: Literal["bilinear", "bicubic"] = "bilinear"
    sampling: SamplingName = "stride"
    crop_mode: CropMode = "center"

    def __post_init__(self) -> None:
        """Check every field.

        Raises:
            WeightsError: a value of the wrong type or out of range.
        """
        for name, highest in _LIMITS.items():
            value = getattr(self, name)
            if type(value) is not int or not 1 <= value <= highest:
                raise WeightsError(f"preprocessing: {name} is {value!r}, not in 1..{highest}")
        if self.short_side < self.crop_size:
            raise WeightsError(
                f"preprocessing: short_side {self.short_side} is below crop_size {self.crop_size}"
            )
        for name in ("mean", "std"):
            _check_channels(name, getattr(self, name))
        if self.interpolation not in ("bilinear", "bicubic"):
            raise WeightsError(
                f"preprocessing: interpolation is {self.interpolation!r}, "
                "not 'bilinear' or 'bicubic'"
            )
        if self.sampling not in ("stride", "segments"):
            raise WeightsError(
                f"preprocessing: sampling is {self.sampling!r}, not 'stride' or 'segments'"
            )
        if self.crop_mode not in ("center", "squash"):
            raise WeightsError(
                f"preprocessing: crop_mode is {self.crop_mode!r}, not 'center' or 'squash'"
            )

    @classmethod
    def for_config(cls, config: HieraConfig) -> Self:
        """The official preprocessing of a network: Kinetics for video, ImageNet for images."""
        crop_size = config.input_size[-1]
        short_side = round(crop_size * 256 / 224)
        if config.is_video:
            return cls(num_frames=config.input_size[0], crop_size=crop_size, short_side=short_side)
        return cls(
            num_frames=1,
            frame_stride=1,
            crop_size=crop_size,
            short_side=short_side,
            mean=(0.485, 0.456, 0.406),
            std=(0.229, 0.224, 0.225),
            interpolation="bicubic",
        )

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON types, tuples as lists."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}

    @classmethod
    def from_dict(cls, values: object) -> Self:
        """Read back what `to_dict` wrote; what came later may be left out.

        Raises:
            WeightsError: not an object, a missing or unknown key, or a value out of range.
        """
        names = {field.name for field in fields(cls)}
        if not isinstance(values, dict) or set(values) | {"sampling", "crop_mode"} != names:
            raise WeightsError(f"preprocessing: expected an object with {sorted(names)}")
        arguments: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in values.items()
        }
        return cls(**arguments)


def _check_channels(name: str, values: object) -> None:
    """Refuse anything but three numbers in (0, 1000] (std) or [-1000, 1000] (mean)."""
    good = isinstance(values, tuple) and len(values) == 3
    for value in values if isinstance(values, tuple) else ():
        good = good and type(value) in (int, float) and abs(value) <= 1000
        good = good and (name == "mean" or value > 0)
    if not good:
        raise WeightsError(f"preprocessing: {name} is {values!r}, not three sensible numbers")
