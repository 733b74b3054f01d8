"""From files to features: `extract-features`' way against others', taking turns.

The others get the model, the frame indices and the arithmetic of the crops for nothing; what
differs is how frames come out of files and how that and the model share the machine. The model is
loaded before; our decoding processes start within the time. What their start takes is told apart by
reading everything twice: the second pass starts nothing.
"""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from hiera_cli.errors import NoInputError
from hiera_cli.inference.backend import Backend, Wanted
from hiera_cli.inference.engine import ClipResult, run
from hiera_cli.inference.loader import LoaderOptions
from hiera_cli.inputs import InputPath
from hiera_cli.tasks.benchmark.suite.readers import ReadFrames
from hiera_cli.tasks.benchmark.timing import cpu_seconds, median_ratio
from hiera_cli.video.crops import crop_frames

OURS = "hiera extract-features"
FEATURES = Wanted(scores=False, layer="final")
Features = dict[str, Tensor]
"""Path -> (clips, D)."""


@dataclass(frozen=True, slots=True)
class RaceFigures:
    """One way to the features of a video; medians.

    Attributes:
        wall_ms, cpu_ms: of a video; the latter of all cores and processes.
        times_ours: wall time over ours, median over the rounds.
        times_second: wall time over that of our second pass, which starts no processes; None where
            there was too little to read to tell.
        cosine: the smallest between its features and ours.
    """

    wall_ms: float
    cpu_ms: float
    times_ours: float
    times_second: float | None
    cosine: float


@dataclass(eq=False, slots=True)
class Race:
    """Ways that take turns over the same videos; nothing happens before the first is asked for.

    Attributes:
        files: the videos.
        backend: of our way, whose threads leave cores to the decoders.
        alone: of the other ways, which compute when they do not read: on all threads.
        loader: of our way; its crops are everybody's.
        readers: the other ways by name.
        rounds: timed turns of each.
    """

    files: Sequence[InputPath]
    backend: Backend
    alone: Backend
    loader: LoaderOptions
    readers: Mapping[str, ReadFrames]
    rounds: int
    _seconds: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    _second: list[float] = field(default_factory=list)
    _features: dict[str, Features] = field(default_factory=dict)
    _errors: dict[str, Exception] = field(default_factory=dict)

    def figures(self, name: str) -> RaceFigures:
        """How one of them did.

        Raises:
            NoInputError: none of the videos can be read.
            Exception: whatever that way raised.
        """
        if not self._seconds:
            self._run()
        if name in self._errors:
            raise self._errors[name]
        walls, cpus = (tuple(values) for values in zip(*self._seconds[name], strict=True))
        ours = tuple(wall for wall, _ in self._seconds[OURS])
        num_videos = len(self._features[OURS])
        return RaceFigures(
            wall_ms=1000 * statistics.median(walls) / num_videos,
            cpu_ms=1000 * statistics.median(cpus) / num_videos,
            times_ours=median_ratio(walls, ours),
            times_second=_ratio(walls, self._second),
            cosine=_smallest_cosine(self._features[name], self._features[OURS]),
        )

    def _run(self) -> None:
        clips = self._ours()  # which is also to warm up
        if not clips:
            raise NoInputError("none of the videos could be read")
        indices = {
            path: [list(clip.clip.frame_indices) for clip in all_] for path, all_ in clips.items()
        }
        ways: dict[str, Callable[[], Features]] = {OURS: lambda: _as_features(self._ours())}
        for name, read in self.readers.items():
            ways[name] = partial(self._theirs, read, indices)
        for _ in range(self.rounds):
            for name, way in ways.items():
                if name not in self._errors:
                    self._take_turn(name, way)
            if OURS not in self._errors:
                self._second.append(self._twice_seconds() - self._seconds[OURS][-1][0])

    def _take_turn(self, name: str, way: Callable[[], Features]) -> None:
        wall, cpu = time.perf_counter(), cpu_seconds()
        try:
            self._features[name] = way()
        except Exception as error:  # noqa: BLE001 - other people's code; its row says what it was
            self._errors[name] = error
            return
        took = time.perf_counter() - wall, cpu_seconds() - cpu
        self._seconds.setdefault(name, []).append(took)

    def _twice_seconds(self) -> float:
        start = time.perf_counter()
        self._ours(passes=2)
        return time.perf_counter() - start

    def _ours(self, passes: int = 1) -> dict[str, list[ClipResult]]:
        found: dict[str, list[ClipResult]] = {}
        files = list(self.files) * passes
        results = run(
            files, self.backend, loader=self.loader, wanted=FEATURES, clips=True, pad=True
        )
        for result in results:
            if isinstance(result, ClipResult):
                found.setdefault(result.input.path, []).append(result)
        return found

    def _theirs(self, read: ReadFrames, indices: Mapping[str, list[list[int]]]) -> Features:
        features = {}
        for path, clips in indices.items():
            sampled = sorted({index for clip in clips for index in clip})
            places = {index: place for place, index in enumerate(sampled)}
            features[path] = self._forward(read(path, sampled), clips, places)
        return features

    def _forward(self, frames: Tensor, clips: list[list[int]], places: Mapping[int, int]) -> Tensor:
        """Features (clips, D) of a video, of its sampled frames (N, H, W, 3)."""
        (crops,) = crop_frames(frames, self.loader.crop_plan)
        views = [crops[[places[index] for index in clip]].transpose(0, 1) for clip in clips]
        output = self.alone.run(torch.stack(views), FEATURES).wait()
        assert output.features is not None
        return output.features


def _ratio(walls: tuple[float, ...], seconds: Sequence[float]) -> float | None:
    return median_ratio(walls, tuple(seconds)) if min(seconds) > 0 else None


def _as_features(clips: Mapping[str, list[ClipResult]]) -> Features:
    stacked = {path: [clip.features for clip in all_] for path, all_ in clips.items()}
    return {path: torch.from_numpy(np.stack(rows)) for path, rows in stacked.items()}  # type: ignore[arg-type]


def _smallest_cosine(features: Features, expected: Features) -> float:
    return min(
        F.cosine_similarity(features[path], expected[path]).min().item() for path in expected
    )
