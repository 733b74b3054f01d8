"""Batches to outputs to one result a video: the one place where views are averaged."""

import logging
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from hiera_cli.checkpoints.open import LoadedModel
from hiera_cli.errors import Failure, HieraError
from hiera_cli.inference.backend import Backend, ModelOutput, Wanted
from hiera_cli.inference.loader import Batch, LoaderOptions, VideoEnd, ViewSlot, load_batches
from hiera_cli.inputs import InputPath
from hiera_cli.video.decode import VideoInfo
from hiera_cli.video.sampling import ClipPlan

logger = logging.getLogger("hiera_cli")

MAX_UNDER_WAY = 1  # batches that a GPU has been given and not yet answered, besides a new one

Array = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False, slots=True)
class ClipResult:
    """One clip's outputs, each the mean over its crops.

    Attributes:
        scores: (K,) class probabilities, or None.
        features: (D,), or an unpooled map (..., D), or None.
    """

    input: InputPath
    clip: ClipPlan
    scores: Array | None
    features: Array | None


@dataclass(frozen=True, eq=False, slots=True)
class VideoResult:
    """One video, after all its views.

    Attributes:
        scores: (K,) class probabilities, the mean over all views, or None.
    """

    input: InputPath
    info: VideoInfo
    num_views: int
    scores: Array | None


Result = ClipResult | VideoResult | Failure
"""A `Failure` bears the name of its input; `ClipResult`s of that video before it are void."""


@dataclass(frozen=True, eq=False, slots=True)
class Engine:
    """A model that is ready to run over videos.

    Attributes:
        loaded: the model, with its labels and preprocessing.
        backend: what runs it.
        loader: how videos become its batches.
    """

    loaded: LoadedModel
    backend: Backend
    loader: LoaderOptions

    def run(
        self,
        inputs: Iterable[InputPath],
        wanted: Wanted,
        *,
        clips: bool = False,
        pad: bool = False,
    ) -> Iterator[Result]:
        """Run over `inputs`; arguments and results as in `run`."""
        return run(inputs, self.backend, loader=self.loader, wanted=wanted, clips=clips, pad=pad)


def run(
    inputs: Iterable[InputPath],
    backend: Backend,
    *,
    loader: LoaderOptions,
    wanted: Wanted,
    clips: bool = False,
    pad: bool = False,
) -> Iterator[Result]:
    """Run a model over videos.

    Args:
        inputs: the videos, in the order that results are wanted.
        backend: what runs the model.
        loader: how videos become batches.
        wanted: which outputs are needed.
        clips: whether to yield a `ClipResult` for every clip as well.
        pad: fill the last batch up, so that all have one size: matrix products round otherwise
            at other sizes, and a run that was interrupted should give the same numbers.

    Yields:
        for each video in input order its `ClipResult`s, then a `VideoResult` or a `Failure`.
    """
    runner = _Runner(backend, wanted, min_views=loader.batch_size if pad else 0)
    merger = _Merger(loader.protocol.num_crops)
    for batch, output in _run_ahead(load_batches(inputs, loader), runner):
        for result in merger.add(batch, output):
            if clips or not isinstance(result, ClipResult):
                yield result


def _run_ahead(batches: Iterable[Batch], runner: "_Runner") -> Iterator[tuple[Batch, ModelOutput]]:
    """Batches with their outputs; while a GPU works on one, the next is filled and uploaded."""
    under_way: deque[tuple[Batch, ModelOutput]] = deque()
    for batch in batches:
        under_way.append((batch, runner.forward(batch.pixels)))
        while len(under_way) > MAX_UNDER_WAY or (under_way and under_way[0][1].arrived):
            done, output = under_way.popleft()
            yield done, output.wait()
    for done, output in under_way:
        yield done, output.wait()


class _Runner:
    """Runs batches, in smaller pieces once the device ran out of memory."""

    def __init__(self, backend: Backend, wanted: Wanted, *, min_views: int = 0) -> None:
        self._backend = backend
        self._wanted = wanted
        self._min_views = min_views
        self._max_views: int | None = None

    def forward(self, pixels: torch.Tensor) -> ModelOutput:
        """Pixels (B, 3, T, H, W) or (B, 3, H, W) -> outputs of all B views."""
        if len(pixels) == 0:
            return ModelOutput(None, None)
        missing = max(0, self._min_views - len(pixels))
        if missing:  # the merger takes as many outputs as there are slots
            pixels = torch.cat([pixels, pixels[-1:].expand(missing, *pixels.shape[1:])])
        outputs: list[ModelOutput] = []
        done = 0
        while done < len(pixels):
            piece = pixels[done : done + (self._max_views or len(pixels))]
            try:
                outputs.append(self._backend.run(piece, self._wanted))
            except RuntimeError as error:
                if not _is_out_of_memory(error):
                    raise
                self._halve(len(piece), error)
                continue
            done += len(piece)
        return _concatenate(outputs)

    def _halve(self, num_views: int, error: RuntimeError) -> None:
        if num_views == 1:
            hint = "use a smaller model, --dtype bfloat16 or --device cpu"
            raise HieraError("not enough memory for a single view", hint=hint) from error
        self._max_views = num_views // 2
        torch.cuda.empty_cache()  # the pieces that failed are cached in sizes nobody wants now
        logger.warning("out of memory: batch size reduced to %d views", self._max_views)


def _is_out_of_memory(error: RuntimeError) -> bool:
    """CUDA has an error of its own; the allocators of the CPU and of MPS only have words."""
    if isinstance(error, torch.OutOfMemoryError):
        return True
    return "can't allocate memory" in str(error) or "MPS backend out of memory" in str(error)


def _concatenate(outputs: list[ModelOutput]) -> ModelOutput:
    if len(outputs) == 1:
        return outputs[0]
    outputs = [output.wait() for output in outputs]
    scores = [o.scores for o in outputs if o.scores is not None]
    features = [o.features for o in outputs if o.features is not None]
    return ModelOutput(
        torch.cat(scores) if scores else None, torch.cat(features) if features else None
    )


class _Mean:
    """A running mean of arrays of one shape, summed in float64; None when nothing was added."""

    def __init__(self) -> None:
        self._sum: npt.NDArray[np.float64] | None = None
        self._num = 0

    def add(self, values: torch.Tensor | None) -> None:
        if values is None:
            return
        array = values.double().numpy()  # the mean must not depend on the batch size
        self._sum = array.copy() if self._sum is None else self._sum + array
        self._num += 1

    def value(self) -> Array | None:
        return None if self._sum is None else (self._sum / self._num).astype(np.float32)


class _Merger:
    """Turns views back into clips and videos; views arrive clip by clip, crop by crop."""

    def __init__(self, num_crops: int) -> None:
        self._num_crops = num_crops
        self._clip_scores, self._clip_features = _Mean(), _Mean()
        self._video_scores = _Mean()
        self._num_views = 0

    def add(self, batch: Batch, output: ModelOutput) -> Iterator[Result]:
        """Results that a batch completes, in input order."""
        ended = list(batch.ended)
        for i, slot in enumerate(batch.slots):
            while ended and ended[0].video_index < slot.video_index:
                yield self._end(ended.pop(0))
            scores = None if output.scores is None else output.scores[i]
            features = None if output.features is None else output.features[i]
            yield from self._add_view(slot, scores, features)
        for end in ended:
            yield self._end(end)

    def _add_view(
        self, slot: ViewSlot, scores: torch.Tensor | None, features: torch.Tensor | None
    ) -> Iterator[ClipResult]:
        self._num_views += 1
        self._video_scores.add(scores)
        self._clip_scores.add(scores)
        self._clip_features.add(features)
        if slot.crop_index == self._num_crops - 1:
            means = self._clip_scores.value(), self._clip_features.value()
            self._clip_scores, self._clip_features = _Mean(), _Mean()
            yield ClipResult(slot.input, slot.clip, *means)

    def _end(self, end: VideoEnd) -> VideoResult | Failure:
        scores, num_views = self._video_scores.value(), self._num_views
        self._video_scores, self._num_views = _Mean(), 0
        if end.failure is not None or end.info is None:
            self._clip_scores, self._clip_features = _Mean(), _Mean()
            return end.failure or Failure(end.input.name, "internal", "no result")
        return VideoResult(end.input, end.info, num_views, scores)
