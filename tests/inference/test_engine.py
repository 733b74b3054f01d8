"""The engine over made-up batches: what is averaged, in which order results come, and OOM."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch

from hiera_cli.checkpoints.preprocessing import Preprocessing
from hiera_cli.errors import Failure, HieraError
from hiera_cli.inference import engine
from hiera_cli.inference.backend import ModelOutput, Wanted
from hiera_cli.inference.engine import ClipResult, VideoResult
from hiera_cli.inference.loader import Batch, LoaderOptions, VideoEnd, ViewSlot
from hiera_cli.inputs import InputPath
from hiera_cli.video.decode import VideoInfo
from hiera_cli.video.protocols import PROTOCOLS
from hiera_cli.video.sampling import ClipPlan, Timeline

PAPER = LoaderOptions(protocol=PROTOCOLS["paper"], preprocessing=Preprocessing())
FILES = [InputPath(f"{name}.mp4", f"{name}.mp4") for name in "abc"]


class Doubler:
    """A backend whose outputs are twice the pixel that a view is made of."""

    name = "doubler"

    def __init__(self, *, max_views: int | None = None, on_cpu: bool = False) -> None:
        self.max_views = max_views
        self.on_cpu = on_cpu
        self.batch_sizes: list[int] = []

    def run(self, pixels: torch.Tensor, wanted: Wanted) -> ModelOutput:
        if self.max_views is not None and len(pixels) > self.max_views:
            if self.on_cpu:
                torch.empty(2**50)  # what the allocator itself says
            raise torch.OutOfMemoryError("no room")
        self.batch_sizes.append(len(pixels))
        value = pixels.flatten(1)[:, :1]
        scores = torch.cat([value, 1 - value], dim=1)
        return ModelOutput(scores if wanted.scores else None, 2 * value if wanted.layer else None)


class Gpu(Doubler):
    """A doubler that answers late: outputs are nan until they are waited for.

    Attributes:
        log: `start` of each batch and `wait` for each, in order.
        is_quick: whether outputs arrive before anybody asks.
    """

    def __init__(self, *, is_quick: bool = False, **limits: int) -> None:
        super().__init__(**limits)
        self.is_quick = is_quick
        self.log: list[str] = []

    def run(self, pixels: torch.Tensor, wanted: Wanted) -> ModelOutput:
        there = super().run(pixels, wanted)
        number = len(self.batch_sizes)
        self.log.append(f"start {number}")
        coming = ModelOutput(torch.full_like(there.scores, torch.nan), None)
        return replace(coming, arrival=OnItsWay(self, number, coming.scores, there.scores))


class OnItsWay:
    """What `torch.cuda.Event` is for the outputs of a `Gpu`."""

    def __init__(self, gpu: Gpu, number: int, to: torch.Tensor, values: torch.Tensor) -> None:
        self.gpu, self.number, self.to, self.values = gpu, number, to, values

    def query(self) -> bool:
        return self.gpu.is_quick

    def synchronize(self) -> None:
        self.gpu.log.append(f"wait {self.number}")
        self.to.copy_(self.values)


def info(name: str) -> VideoInfo:
    timeline = Timeline(30.0, np.arange(3) / 30, 0.1, constant=True)
    facts = ("mov", "h264", "yuv420p", 4, 4, 0, 3, 30.0, False, 0.1, 0.0, ())
    return VideoInfo(name, *facts, timeline)


def view(video_index: int, clip_index: int, crop_index: int, value: float) -> tuple:
    clip = ClipPlan(clip_index, (0,), (0.0,), 0.0, 0.1)
    return ViewSlot(video_index, FILES[video_index % len(FILES)], clip, crop_index), torch.full(
        (3, 1, 2, 2), value
    )


def batch(views: list[tuple], *ended: VideoEnd) -> Batch:
    pixels = torch.stack([v for _, v in views]) if views else torch.empty(0, 3, 1, 2, 2)
    return Batch(pixels, tuple(s for s, _ in views), ended)


def end(index: int, failure: Failure | None = None) -> VideoEnd:
    source = FILES[index]
    return VideoEnd(index, source, None if failure else info(source.path), failure)


def run(
    batches: list[Batch], backend: Doubler, monkeypatch: pytest.MonkeyPatch, **options: object
) -> list[engine.Result]:
    def load(inputs: Iterator[InputPath], _: LoaderOptions) -> Iterator[Batch]:
        list(inputs)
        yield from batches

    monkeypatch.setattr(engine, "load_batches", load)
    wanted = Wanted(scores=True, layer="final")
    return list(engine.run(FILES, backend, loader=PAPER, wanted=wanted, **options))


def crops_of(video_index: int, clip_index: int, *values: float) -> list[tuple]:
    return [view(video_index, clip_index, i, v) for i, v in enumerate(values)]


def test_views_are_averaged_over_crops_and_clips(monkeypatch: pytest.MonkeyPatch) -> None:
    views = crops_of(0, 0, 0.1, 0.2, 0.3) + crops_of(0, 1, 0.4, 0.5, 0.9)
    results = run([batch(views, end(0))], Doubler(), monkeypatch, clips=True)
    first, second, video = results
    assert isinstance(first, ClipResult)
    assert isinstance(second, ClipResult)
    assert isinstance(video, VideoResult)
    np.testing.assert_allclose(first.features, [0.4], rtol=1e-6)
    np.testing.assert_allclose(second.scores, [0.6, 0.4], rtol=1e-6)
    np.testing.assert_allclose(video.scores, [0.4, 0.6], rtol=1e-6)
    assert video.num_views == 6


def test_results_do_not_depend_on_where_batches_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    views = crops_of(0, 0, 0.1, 0.2, 0.3) + crops_of(1, 0, 0.4, 0.5, 0.9)
    ends = {3: [end(0)], 6: [end(1)]}
    expected = None
    for size in (1, 2, 4, 6):
        batches = []
        for start in range(0, 6, size):
            ended = [e for i in range(start, start + size) for e in ends.get(i + 1, [])]
            batches.append(batch(views[start : start + size], *ended))
        results = run(batches, Doubler(), monkeypatch)
        scores = [r.scores.tolist() for r in results if isinstance(r, VideoResult)]
        expected = expected or scores
        assert scores == expected


def test_results_come_in_input_order_with_failures_in_their_place(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    failure = Failure("b.mp4", "corrupt", "bits")
    views = crops_of(0, 0, 0.1, 0.1, 0.1) + crops_of(2, 0, 0.2, 0.2, 0.2)
    results = run([batch(views, end(0), end(1, failure), end(2))], Doubler(), monkeypatch)
    assert [type(r) for r in results] == [VideoResult, Failure, VideoResult]
    assert [results[0].input, results[1], results[2].input] == [FILES[0], failure, FILES[2]]


def test_views_of_a_failed_video_do_not_leak_into_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    failure = Failure("a.mp4", "timeout", "stuck")
    half = crops_of(0, 0, 0.9, 0.9)
    whole = crops_of(1, 0, 0.1, 0.2, 0.3)
    results = run([batch(half + whole, end(0, failure), end(1))], Doubler(), monkeypatch)
    assert isinstance(results[0], Failure)
    assert isinstance(results[1], VideoResult)
    np.testing.assert_allclose(results[1].scores, [0.2, 0.8], rtol=1e-6)


def batches_of_one_video(num: int) -> list[Batch]:
    return [
        batch(crops_of(0, i, 0.1, 0.2, 0.3), *([end(0)] if i == num - 1 else []))
        for i in range(num)
    ]


def test_a_gpu_has_the_next_batch_before_the_last_one_is_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gpu = Gpu()
    results = run(batches_of_one_video(3), gpu, monkeypatch)
    assert gpu.log == ["start 1", "start 2", "wait 1", "start 3", "wait 2", "wait 3"]
    np.testing.assert_allclose(results[0].scores, [0.2, 0.8], rtol=1e-6)


def test_outputs_that_are_there_are_not_held_back(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu = Gpu(is_quick=True)
    run(batches_of_one_video(3), gpu, monkeypatch)
    assert gpu.log == ["start 1", "wait 1", "start 2", "wait 2", "start 3", "wait 3"]


def test_pieces_of_a_batch_are_joined_when_they_have_arrived(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    results = run(batches_of_one_video(2), Gpu(max_views=1), monkeypatch)
    np.testing.assert_allclose(results[0].scores, [0.2, 0.8], rtol=1e-6)


@pytest.mark.parametrize("on_cpu", [False, True])
def test_out_of_memory_halves_the_batch_and_loses_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, on_cpu: bool
) -> None:
    views = [view(0, clip, crop, 0.1 * clip) for clip in range(5) for crop in range(3)]
    backend = Doubler(max_views=4, on_cpu=on_cpu)
    results = run([batch(views, end(0))], backend, monkeypatch)
    assert backend.batch_sizes == [3, 3, 3, 3, 3]
    assert isinstance(results[0], VideoResult)
    assert results[0].num_views == 15
    np.testing.assert_allclose(results[0].scores[0], 0.2, rtol=1e-6)


def test_a_view_that_never_fits_is_an_error_with_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(HieraError, match="single view") as error:
        run([batch(crops_of(0, 0, 0.1, 0.2, 0.3), end(0))], Doubler(max_views=0), monkeypatch)
    assert "--dtype" in error.value.hint


def test_other_errors_of_a_backend_are_not_taken_for_a_full_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    backend = Doubler()
    monkeypatch.setattr(backend, "run", lambda *_: torch.ones(2) @ torch.ones(3))
    with pytest.raises(RuntimeError, match="size"):
        run([batch(crops_of(0, 0, 0.1, 0.2, 0.3), end(0))], backend, monkeypatch)
