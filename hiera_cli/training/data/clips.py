"""From one file to the clips that a step trains on, or the one that is validated."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from hiera_cli.archives import read_member, split_archive
from hiera_cli.checkpoints.preprocessing import Preprocessing
from hiera_cli.errors import MediaError
from hiera_cli.inputs import IMAGE_SUFFIXES
from hiera_cli.options import SamplingName
from hiera_cli.training.data.augmentation import (
    WHOLE,
    Augmentation,
    RandomCrop,
    augment_clip,
    resized_crop,
)
from hiera_cli.training.data.cache import cached_pixels
from hiera_cli.training.data.memory import PixelMemory
from hiera_cli.training.options import ClipOptions
from hiera_cli.video.clips import ClipReader
from hiera_cli.video.collector import ViewOf
from hiera_cli.video.crops import CropPlan, crop_frame
from hiera_cli.video.decode import Limits
from hiera_cli.video.protocols import Protocol
from hiera_cli.video.size import resized_size

PICTURE_SUFFIXES = tuple(IMAGE_SUFFIXES)
Frames = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class ClipSource:
    """How clips come out of files.

    Attributes:
        crop: the resize and center crop of validation.
        num_frames: T, frames in a clip; 1 for image models, which also read pictures.
        frame_stride: distance of sampled frames at 30 frames per second.
        sampling: frames a stride apart, or one of each of T segments.
        cache: folder for decoded clips, so that later epochs cost no decoding; None: decode
            every time.
        cache_clips: evenly spread clips kept of each video; with more of them, training sees
            more of a video.
        limits: what a single file may cost.
        isolate: decode in child processes that may crash.
    """

    crop: CropPlan
    num_frames: int
    frame_stride: int = 4
    sampling: SamplingName = "stride"
    cache: Path | None = None
    cache_clips: int = 1
    limits: Limits = field(default_factory=Limits)
    isolate: bool = False

    @classmethod
    def of(cls, preprocessing: Preprocessing, options: ClipOptions) -> Self:
        """The clips that a model with this preprocessing takes."""
        return cls(
            crop=center_crop(preprocessing),
            num_frames=preprocessing.num_frames,
            frame_stride=preprocessing.frame_stride,
            sampling=preprocessing.sampling,
            cache=options.cache,
            cache_clips=options.cache_clips,
            limits=Limits.of(options),
            isolate=options.isolate is not False,
        )

    def protocol(
        self, num_clips: int, draws: tuple[float, ...] | None = None, *, name: str = "training"
    ) -> Protocol:
        """Clips of this source's shape: evenly spread, or drawn."""
        return Protocol(
            name=name,
            num_clips=num_clips,
            num_crops=1,
            num_frames=self.num_frames,
            frame_stride=self.frame_stride,
            sampling=self.sampling,
            draws=draws,
        )


def center_crop(preprocessing: Preprocessing) -> CropPlan:
    """The crop that validation looks at."""
    return CropPlan(
        short_side=preprocessing.short_side,
        crop_size=preprocessing.crop_size,
        num_crops=1,
        interpolation=preprocessing.interpolation,
        squash=preprocessing.crop_mode == "squash",
    )


class ClipMaker:
    """Makes the clips that training and validation look at; each process has its own.

    Pictures, and clips in the cache, stay in memory after the first visit, as far as it goes.

    Args:
        source: how clips come out of files.
    """

    def __init__(self, source: ClipSource) -> None:
        self.source = source
        self._memory = PixelMemory()
        self._reader = ClipReader(isolate=source.isolate, limits=source.limits)
        self.close = self._reader.close

    def random_clips(
        self, path: str, *, augmentation: Augmentation, rngs: Sequence[np.random.Generator]
    ) -> list[Tensor]:
        """One augmented clip per generator, uint8 (3, T, S, S) each ((3, S, S) of pictures).

        Raises:
            MediaError: the file cannot be read.
        """
        source = self.source
        crops = [RandomCrop(augmentation, rng) for rng in rngs]
        if source.num_frames == 1 and is_picture(path):
            picture = self._picture(path)
            clips = [crop(picture) for crop in crops]
        elif source.cache:
            kept = self._kept_clips(path, num_clips=source.cache_clips)
            chosen = [int(rng.integers(len(kept))) for rng in rngs]
            clips = [crop(kept[index]) for crop, index in zip(crops, chosen, strict=True)]
        else:
            num_draws = source.protocol(1).num_draws
            draws = tuple(float(draw) for rng in rngs for draw in rng.random(num_draws))
            protocol = source.protocol(len(rngs), draws)
            # a frame that two clips share is cropped twice, each time as its clip wants it
            clips = self._decode(path, protocol, lambda k, frame: crops[k](frame[None]))
        augmented = [
            augment_clip(clip, augmentation, rng=rng) for clip, rng in zip(clips, rngs, strict=True)
        ]
        return [clip[:, 0] for clip in augmented] if source.num_frames == 1 else augmented

    def center_clip(self, path: str) -> Tensor:
        """The view that validation looks at: the middle clip's center crop.

        Returns:
            (3, T, S, S) or (3, S, S), float32 in 0..255; what `hiera eval --protocol fast` sees.

        Raises:
            MediaError: the file cannot be read.
        """
        source, crop = self.source, self._center_crop
        if source.num_frames == 1 and is_picture(path):
            clip = crop(0, self._picture(path)[0])
        elif source.cache:
            kept = self._kept_clips(path, num_clips=1)[0]
            clip = torch.cat([crop(0, frame) for frame in kept], dim=1)
        else:
            clip = self._decode(path, source.protocol(1), crop)[0]
        return clip[:, 0] if source.num_frames == 1 else clip

    def spread_clips(self, path: str, num_clips: int) -> list[Tensor]:
        """The center crops of clips spread evenly over a video, as `center_clip` gives one.

        Raises:
            MediaError: the file cannot be read.
        """
        return self._decode(path, self.source.protocol(num_clips), self._center_crop)

    def _center_crop(self, _: int, frame: Frames) -> Tensor:
        return crop_frame(frame, self.source.crop)[0][:, None]

    def _picture(self, path: str) -> Frames:
        """A picture (1, H, W, 3)."""
        return self._memory.get(path, lambda: read_picture(path))

    def _kept_clips(self, path: str, *, num_clips: int) -> Frames:
        """Evenly spread clips at the crop's short side, from the cache: (clips, T, H, W, 3)."""
        source, folder = self.source, self.source.cache
        assert folder is not None
        protocol = source.protocol(num_clips)

        def decode() -> Frames:
            clips = self._decode(path, protocol, shrink)
            return torch.stack(clips).permute(0, 2, 3, 4, 1).numpy()

        def shrink(_: int, frame: Frames) -> Tensor:
            size = resized_size(frame.shape[0], frame.shape[1], source.crop.short_side)
            return resized_crop(frame[None], WHOLE, size=size)

        def read() -> Frames:
            settings = f"{protocol} {source.crop.short_side}"
            if source.limits.assumed_fps is not None:
                settings += f" {source.limits.assumed_fps} fps"
            return cached_pixels(folder, path, settings=settings, make=decode)

        return self._memory.get((path, num_clips), read)

    def _decode(self, path: str, protocol: Protocol, view_of: ViewOf[Tensor]) -> list[Tensor]:
        """One (3, T, S, S) for each clip, of frames that `view_of` made (3, 1, S, S)."""
        clips = self._reader.read(path, protocol, view_of=view_of, shared=False)
        with closing(clips):
            return [torch.cat(frames, dim=1) for _, frames in clips]


def is_picture(path: str) -> bool:
    """Whether the file's name is that of a picture."""
    return path.lower().endswith(PICTURE_SUFFIXES)


def read_picture(path: str) -> Frames:
    """A picture, in a file or in an archive, upright: (1, H, W, 3) uint8 RGB.

    Raises:
        MediaError: not found, not permitted, not a picture, or damaged.
    """
    try:
        archived = split_archive(path)
        with Image.open(BytesIO(read_member(path)) if archived else path) as image:
            upright = ImageOps.exif_transpose(image) or image
            return np.array(upright.convert("RGB"), dtype=np.uint8)[None]
    except FileNotFoundError as error:
        raise MediaError("not_found", "no such file") from error
    except PermissionError as error:
        raise MediaError("permission", "permission denied") from error
    except UnidentifiedImageError as error:
        raise MediaError("not_a_video", "not a picture that Pillow can read") from error
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise MediaError("corrupt", f"damaged picture: {error}") from error
