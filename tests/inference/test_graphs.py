"""Recorded passes, with a stand-in for the recorder: what a graph does on a GPU, done again."""

from collections.abc import Callable

import torch

from hiera_cli.inference.graphs import GraphedForward, Outputs, Run, rerun
from hiera_cli.inference.pixel_model import pixel_model
from tests.models import random_views, tiny_loaded_model


class Recorder:
    """Counts; a replay writes over the outputs of the one before, as a CUDA graph's does."""

    def __init__(self) -> None:
        self.num_recorded = self.num_replayed = 0

    def __call__(self, run: Run) -> tuple[Outputs, Callable[[], None]]:
        outputs, replay = rerun(run)
        self.num_recorded += 1

        def counted() -> None:
            self.num_replayed += 1
            replay()

        return outputs, counted


@torch.inference_mode()
def test_a_replayed_pass_gives_what_the_module_gives_for_any_batch() -> None:
    module, recorder = pixel_model(tiny_loaded_model()), Recorder()
    graphed = GraphedForward(module, recorder)
    batches = [random_views(num, seed=num) for num in (3, 1, 2, 4)]
    found = [graphed(batch) for batch in batches]  # read after the last: they are copies
    for batch, outputs in zip(batches, found, strict=True):
        for ours, theirs in zip(outputs, module(batch), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)
    assert (recorder.num_recorded, recorder.num_replayed) == (2, 4)  # 4 views: a larger one


@torch.inference_mode()
def test_other_pixels_are_recorded_afresh_and_a_recorder_that_fails_leaves_nothing() -> None:
    recorder = Recorder()
    graphed = GraphedForward(lambda x: (x.float().flatten(1).sum(1),), recorder)
    views = torch.arange(24).view(2, 3, 4)
    assert graphed(views)[0].tolist() == [66, 210]
    assert graphed(views.to(torch.uint8))[0].tolist() == [66, 210]
    assert graphed(views[..., :2].to(torch.uint8))[0].tolist() == [27, 99]
    assert recorder.num_recorded == 3

    def fail(_: Run) -> tuple[Outputs, Callable[[], None]]:
        raise torch.OutOfMemoryError

    graphed._record = fail
    larger = torch.zeros(3, 3, 2, dtype=torch.uint8)
    for _ in range(2):
        try:
            graphed(larger)
        except torch.OutOfMemoryError:
            continue
        raise AssertionError
    graphed._record = recorder
    assert graphed(larger[:1])[0].tolist() == [0]  # as the engine does: a smaller batch
