"""Paths in, batches of views out, with decoding in the background.

Worker threads decode ahead, one video each; the consumer takes their clips in input order and
fills batches across videos. A video that cannot be read becomes a `Failure` in its place and
stops nothing.
"""

from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from itertools import chain, islice

import numpy as np
import numpy.typing as npt
import torch

from hiera_cli.checkpoints.preprocessing import Preprocessing
from hiera_cli.errors import Failure, MediaError
from hiera_cli.inference.cropping import Cropper, Kept
from hiera_cli.inference.prefetch import prefetch
from hiera_cli.inference.threads import compute_alone
from hiera_cli.inputs import InputPath
from hiera_cli.video.clips import ClipReader
from hiera_cli.video.crops import CropPlan
from hiera_cli.video.decode import Limits, VideoInfo
from hiera_cli.video.protocols import Protocol
from hiera_cli.video.sampling import ClipPlan


@dataclass(frozen=True, slots=True)
class LoaderOptions:
    """How videos become batches.

    Attributes:
        protocol: which clips and how many crops are taken from a video.
        preprocessing: what the model expects its pixels to be.
        batch_size: views in a batch.
        workers: videos decoded at the same time.
        decode_threads: FFmpeg threads for each of them.
        limits: bounds on what a file may cost.
        isolate: decode in child processes that can be killed when FFmpeg hangs; None: when there
            is more than one video.
        square_pixels: stretch frames whose pixels are not square.
        pin_memory: keep batches where a GPU can fetch them itself.
        device: where frames are resized and cropped, and batches are; None: on the CPU, by the
            workers.
    """

    protocol: Protocol
    preprocessing: Preprocessing
    batch_size: int = 4
    workers: int = 1
    decode_threads: int = 1
    limits: Limits = field(default_factory=Limits)
    isolate: bool | None = None
    square_pixels: bool = False
    pin_memory: bool = False
    device: torch.device | None = None

    @property
    def crop_plan(self) -> CropPlan:
        """The crops of one frame: a single center crop keeps more around it than three do."""
        wanted = self.preprocessing
        three = self.protocol.num_crops == 3
        return CropPlan(
            short_side=wanted.crop_size if three else wanted.short_side,
            crop_size=wanted.crop_size,
            num_crops=self.protocol.num_crops,
            interpolation=wanted.interpolation,
            squash=wanted.crop_mode == "squash",
        )


@dataclass(frozen=True, eq=False, slots=True)
class ViewSlot:
    """Where one view of a batch comes from."""

    video_index: int
    input: InputPath
    clip: ClipPlan
    crop_index: int


@dataclass(frozen=True, eq=False, slots=True)
class VideoEnd:
    """The last word on a video: what it was, or why it gave no result."""

    video_index: int
    input: InputPath
    info: VideoInfo | None
    failure: Failure | None


@dataclass(frozen=True, eq=False, slots=True)
class Batch:
    """Views ready for a model.

    Attributes:
        pixels: (B, 3, T, H, W) float32 in 0..255; (B, 3, H, W) for image models; B may be 0;
            on the loader's device.
        slots: the origin of each of the B views, in input order.
        ended: videos whose last view is in this batch or an earlier one.
    """

    pixels: torch.Tensor
    slots: tuple[ViewSlot, ...]
    ended: tuple[VideoEnd, ...]


@dataclass(frozen=True, eq=False, slots=True)
class _Clip:
    """One decoded clip: what is kept of its T frames."""

    video_index: int
    input: InputPath
    plan: ClipPlan
    frames: list[Kept]


_Item = _Clip | VideoEnd


def load_batches(inputs: Iterable[InputPath], options: LoaderOptions) -> Iterator[Batch]:
    """Decode `inputs` in the background and yield their views in input order."""
    cropper = Cropper(options.crop_plan, options.device)
    with closing(_decode_ahead(inputs, options, cropper)) as items:
        yield from _fill_batches(items, options, cropper)


def _fill_batches(
    items: Iterable[_Item], options: LoaderOptions, cropper: Cropper
) -> Iterator[Batch]:
    pixels = _empty_batch(options, cropper)
    slots: list[ViewSlot] = []
    ended: list[VideoEnd] = []
    for item in items:
        if isinstance(item, VideoEnd):
            ended.append(item)
            if not slots:
                yield _batch(pixels, slots, ended, options)
                ended = []
            continue
        crops = cropper.clip(item.frames)
        for crop_index in range(options.protocol.num_crops):
            cropper.write(crops, crop_index, pixels[len(slots)])
            slots.append(ViewSlot(item.video_index, item.input, item.plan, crop_index))
            if len(slots) == options.batch_size:
                yield _batch(cropper.hand_over(pixels), slots, ended, options)
                pixels, slots, ended = _empty_batch(options, cropper), [], []
    if slots or ended:
        yield _batch(cropper.hand_over(pixels), slots, ended, options)


def _empty_batch(options: LoaderOptions, cropper: Cropper) -> torch.Tensor:
    """Room for the views of a batch, (B, 3, T, S, S) float32."""
    side = options.preprocessing.crop_size
    shape = (options.batch_size, 3, options.protocol.num_frames, side, side)
    return cropper.empty(shape, pin_memory=options.pin_memory)


def _batch(
    pixels: torch.Tensor,
    slots: list[ViewSlot],
    ended: list[VideoEnd],
    options: LoaderOptions,
) -> Batch:
    pixels = pixels[: len(slots)]
    if options.preprocessing.num_frames == 1:
        pixels = pixels.squeeze(2)
    return Batch(pixels, tuple(slots), tuple(ended))


# ---------------------------------------------------------------------------- decoding ahead


def _decode_ahead(
    inputs: Iterable[InputPath], options: LoaderOptions, cropper: Cropper
) -> Generator[_Item, None, None]:
    """Items of all videos in input order, decoded by `options.workers` background threads."""
    rest = iter(inputs)
    first = list(islice(rest, 2))
    isolate = len(first) > 1 if options.isolate is None else options.isolate
    decoders = [_Decoder(options, cropper, isolate=isolate) for _ in range(options.workers)]
    return prefetch(enumerate(chain(first, rest)), decoders)


class _Decoder:
    """Turns paths into clips; one that cannot be read becomes a failure in its place."""

    def __init__(self, options: LoaderOptions, cropper: Cropper, *, isolate: bool) -> None:
        self._protocol = options.protocol
        self._cropper = cropper
        self._reader = ClipReader(
            isolate=isolate,
            limits=options.limits,
            threads=options.decode_threads,
            square_pixels=options.square_pixels,
        )
        self.stop, self.close = self._reader.stop, self._reader.close

    def read(self, source: tuple[int, InputPath]) -> Generator[_Item, None, None]:
        """The clips of one video and then its `VideoEnd`; never raises."""
        compute_alone()
        video_index, file = source
        try:
            info = yield from self._clips(video_index, file)
        except MediaError as error:
            failure = Failure(file.name, error.kind, error.message)
            yield VideoEnd(video_index, file, None, failure)
        else:
            yield VideoEnd(video_index, file, info, None)

    def _clips(self, video_index: int, file: InputPath) -> Generator[_Clip, None, VideoInfo]:
        clips = self._reader.read(file.path, self._protocol, view_of=self._crop, shared=True)
        while True:
            try:
                plan, frames = next(clips)
            except StopIteration as end:
                info: VideoInfo = end.value
                return info
            yield _Clip(video_index, file, plan, frames)

    def _crop(self, _: int, frame: npt.NDArray[np.uint8]) -> Kept:
        return self._cropper.keep(frame)
