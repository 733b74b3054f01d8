"""Batches of training and validation clips, decoded by worker processes.

A file that cannot be read gives a `Failure` in the batch and no clip: batches may be smaller
than asked for, and nothing takes the place of what is missing.
"""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from typing import Any, cast

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from hiera_cli.checkpoints.preprocessing import Preprocessing
from hiera_cli.errors import Failure, MediaError
from hiera_cli.training.data.augmentation import Augmentation
from hiera_cli.training.data.clips import ClipMaker, ClipSource
from hiera_cli.training.data.order import Draw, Order, visit_rng
from hiera_cli.training.data.samples import Batch, Samples
from hiera_cli.training.data.symmetries import Symmetries


@dataclass(frozen=True, slots=True)
class TrainingVideo:
    """One file to learn from.

    Attributes:
        path: the file.
        target: class index; -1 when unlabelled.
    """

    path: str
    target: int = -1


@dataclass(frozen=True, eq=False, slots=True)
class TrainingBatch:
    """Clips of one part of a step.

    Attributes:
        pixels: (B, 3, T, S, S) or (B, 3, S, S), uint8 for training, float32 for validation, in
            0..255. B may be 0.
        targets: (B,) int64 class indices, -1 when unlabelled.
        seeds: (B,) int64, one for each clip: for what is drawn after loading (masks, mixing).
        places: (B,) int64, where each clip stands in the batch; files that could not be read
            leave gaps.
        failures: files that could not be read.
    """

    pixels: Tensor
    targets: Tensor
    seeds: Tensor
    places: Tensor
    failures: tuple[Failure, ...] = ()

    def __len__(self) -> int:
        return len(self.targets)

    def pin_memory(self) -> "TrainingBatch":
        """The batch in memory that a GPU copies from without waiting."""
        return replace(self, pixels=self.pixels.pin_memory(), targets=self.targets.pin_memory())

    def to(self, device: torch.device) -> "TrainingBatch":
        """The batch with pixels and targets on the device."""
        return replace(
            self,
            pixels=self.pixels.to(device, non_blocking=True),
            targets=self.targets.to(device, non_blocking=True),
        )


def blank_batch(input_size: tuple[int, ...]) -> TrainingBatch:
    """One black clip of class 0."""
    zero = torch.zeros(1, dtype=torch.int64)
    return TrainingBatch(torch.zeros(1, 3, *input_size, dtype=torch.uint8), zero, zero, zero)


def at_once(values: Tensor, device: torch.device) -> Tensor:
    """A small tensor of the CPU on the device, without waiting for what a GPU has to do before."""
    pinned = values.pin_memory() if device.type == "cuda" else values
    return pinned.to(device, non_blocking=True)


def normalised(pixels: Tensor, preprocessing: Preprocessing) -> Tensor:
    """(B, 3, ...) in 0..255, any dtype, to normalised float32 of the same shape."""
    shape = (1, 3) + (1,) * (pixels.ndim - 2)
    mean = at_once(torch.tensor(preprocessing.mean), pixels.device).view(shape)
    std = at_once(torch.tensor(preprocessing.std), pixels.device).view(shape)
    return (pixels.float() / 255 - mean) / std


@dataclass(frozen=True, eq=False, slots=True)
class Visit:
    """What one visit of one file gave: clips, or the reason why there are none."""

    clips: tuple[Tensor, ...]
    targets: tuple[int, ...]
    seeds: tuple[int, ...]
    failure: Failure | None = None


class TrainingClips(Dataset[Visit]):
    """Random clips of training videos; what is drawn depends on the seed and the visit only."""

    def __init__(
        self,
        videos: Sequence[TrainingVideo],
        source: ClipSource,
        *,
        augmentation: Augmentation,
        symmetries: Symmetries,
        repeats: int,
        seed: int,
        input_size: tuple[int, ...],
    ) -> None:
        self._videos = tuple(videos)
        self.maker = ClipMaker(source)
        self._input_size = input_size
        self._augmentation = augmentation
        self._symmetries = symmetries
        self._repeats = repeats
        self._seed = seed

    @property
    def unit(self) -> str:
        """What is counted."""
        return "videos"

    def __getitem__(self, draw: Draw) -> Visit:
        video = self._videos[draw.sample_index]
        rngs = [visit_rng(self._seed, draw, repeat) for repeat in range(self._repeats)]
        seeds = tuple(int(rng.integers(2**62)) for rng in rngs)
        try:
            clips = self.maker.random_clips(video.path, augmentation=self._augmentation, rngs=rngs)
        except MediaError as error:
            failure = Failure(video.path, error.kind, error.message)
            return Visit((), (), (), failure)
        turn = self._symmetries.turn
        turned = [turn(clip, video.target, rng) for clip, rng in zip(clips, rngs, strict=True)]
        targets = tuple(target for _, target in turned)
        return Visit(tuple(clip for clip, _ in turned), targets, seeds)

    def collate(self, visits: Sequence[Visit]) -> TrainingBatch:
        """As `collate`."""
        return collate(visits)

    def blank(self) -> TrainingBatch:
        """One black clip of class 0."""
        return blank_batch(self._input_size)

    def close(self) -> None:
        """End the decoding process, if there is one."""
        self.maker.close()


class ValidationClips(Dataset[Visit]):
    """The center view of each video, or center crops of several clips spread over it."""

    def __init__(
        self, videos: Sequence[TrainingVideo], source: ClipSource, *, num_clips: int = 1
    ) -> None:
        self._videos = tuple(videos)
        self._num_clips = num_clips
        self.maker = ClipMaker(source)

    def __len__(self) -> int:
        return len(self._videos)

    def __getitem__(self, index: int) -> Visit:
        video = self._videos[index]
        try:
            clips = self._clips(video.path)
            return Visit(clips, (video.target,) * len(clips), (index,) * len(clips))
        except MediaError as error:
            failure = Failure(video.path, error.kind, error.message)
            return Visit((), (), (), failure)

    def _clips(self, path: str) -> tuple[Tensor, ...]:
        if self._num_clips == 1:
            return (self.maker.center_clip(path),)
        return tuple(self.maker.spread_clips(path, self._num_clips))


def collate(visits: Sequence[Visit]) -> TrainingBatch:
    """Clips of all visits: first clips first, so that neighbours come from different videos."""
    good = [(place, visit) for place, visit in enumerate(visits) if visit.failure is None]
    failures = tuple(visit.failure for visit in visits if visit.failure is not None)
    if not good:
        nothing = torch.zeros(0, dtype=torch.int64)
        return TrainingBatch(torch.zeros(0), nothing, nothing, nothing, failures)
    rows = [(r, place, visit) for r in range(len(good[0][1].clips)) for place, visit in good]
    return TrainingBatch(
        pixels=torch.stack([visit.clips[repeat] for repeat, _, visit in rows]),
        targets=torch.tensor([visit.targets[repeat] for repeat, _, visit in rows]),
        seeds=torch.tensor([visit.seeds[repeat] for repeat, _, visit in rows]),
        places=torch.tensor([repeat * len(visits) + place for repeat, place, _ in rows]),
        failures=failures,
    )


def training_batches(
    samples: Samples,
    order: Order,
    *,
    first_step: int,
    end_step: int,
    workers: int,
    pin_memory: bool = False,
) -> Iterator[Batch]:
    """The parts of all steps from `first_step` on, in order."""
    with _however_many_workers():
        loader = DataLoader(
            cast(Dataset[Any], samples),
            batch_sampler=_Parts(order, first_step, end_step),
            collate_fn=samples.collate,
            num_workers=workers,
            pin_memory=pin_memory,
            prefetch_factor=2 if workers else None,
        )
    with closing(samples):  # without workers its child belongs to this process
        yield from loader


def validation_batches(
    clips: ValidationClips, indices: Sequence[int], *, batch_size: int, workers: int
) -> Iterator[TrainingBatch]:
    """The center views of the videos at `indices`, in order."""
    parts = [list(indices[i : i + batch_size]) for i in range(0, len(indices), batch_size)]
    with _however_many_workers():
        loader = DataLoader(clips, batch_sampler=parts, collate_fn=collate, num_workers=workers)
    with closing(clips.maker):
        yield from loader


@contextmanager
def _however_many_workers() -> Iterator[None]:
    """No warning of more workers than cores: ours mostly wait for the processes that decode."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="This DataLoader will create")
        yield


class _Parts:
    """The batch sampler of a DataLoader: iterates the parts of an order."""

    def __init__(self, order: Order, first_step: int, end_step: int) -> None:
        self._order = order
        self._steps = (first_step, end_step)

    def __iter__(self) -> Iterator[list[Draw]]:
        return self._order.parts(*self._steps)

    def __len__(self) -> int:
        return (self._steps[1] - self._steps[0]) * self._order.num_parts
