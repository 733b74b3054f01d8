"""Steps that a GPU takes otherwise: ahead of their numbers, compiled, as CUDA graphs."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from hiera_cli.errors import HieraError
from hiera_cli.model.hiera import Hiera
from hiera_cli.training import compiled, loop
from hiera_cli.training.compiled import Forward, captures_graphs
from hiera_cli.training.finetune import finetune
from hiera_cli.training.options import ClipOptions, RunOptions
from hiera_cli.training.records import Epoch, Step
from hiera_cli.training.step import checked_loss
from tests.configs import tiny_video
from tests.training.test_loop import CHANGES, options

SHORT = replace(CHANGES, epochs=2)


def trained(classes: Path, tiny: str, clip_cache: Path, out: Path, **changes):
    """Steps without how long they took, and the epochs' losses."""
    run = RunOptions(out=out, workers=0, device="cpu", **changes)
    records = list(
        finetune(options(classes, tiny), run, clips=ClipOptions(cache=clip_cache), changes=SHORT)
    )
    steps = [
        replace(record, seconds=0.0, visible_tokens_per_second=0.0)
        for record in records
        if isinstance(record, Step)
    ]
    return steps, [record.train_loss for record in records if isinstance(record, Epoch)]


def test_a_step_ahead_and_compiled_a_run_is_what_it_was(
    classes: Path, tiny: str, clip_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, plain_epochs = trained(classes, tiny, clip_cache, tmp_path / "plain")
    monkeypatch.setattr(loop, "max_under_way", lambda _: 1)
    ahead = trained(classes, tiny, clip_cache, tmp_path / "ahead")
    assert ahead == (plain, plain_epochs)
    monkeypatch.setattr(compiled, "COMPILER", "aot_eager")
    steps, epochs = trained(classes, tiny, clip_cache, tmp_path / "c", compile_model=True)
    assert epochs == pytest.approx(plain_epochs, rel=1e-5)
    for ours, theirs in zip(steps, plain, strict=True):
        assert ours.loss == pytest.approx(theirs.loss, rel=1e-5)
        assert ours.grad_norm == pytest.approx(theirs.grad_norm, rel=1e-4)


def test_only_full_batches_are_compiled() -> None:
    eager, fast = torch.nn.Identity(), torch.nn.Identity()
    forward = Forward(eager, fast, num_clips=8)
    assert forward.of(8) is fast
    assert forward.of(7) is eager
    assert Forward(eager, None, num_clips=8).of(8) is eager
    assert Forward(eager, fast, num_clips=None).of(7) is fast


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, True),
        ({"device": torch.device("cpu")}, False),
        ({"accumulate": 2}, False),
        ({"checkpoint_activations": True}, False),
        ({"world_size": 2}, False),
        ({"model": torch.nn.Identity()}, False),
    ],
)
def test_steps_are_captured_where_that_is_safe(change: dict, expected: bool) -> None:
    facts = {
        "device": torch.device("cuda"),
        "accumulate": 1,
        "checkpoint_activations": False,
        "world_size": 1,
        "model": Hiera(tiny_video()),
    } | change
    run = SimpleNamespace(
        device=facts["device"],
        options=SimpleNamespace(**facts),
        state=SimpleNamespace(model=facts["model"]),
        process=SimpleNamespace(world_size=facts["world_size"]),
    )
    assert captures_graphs(run) is expected


def test_a_loss_that_is_not_finite_ends_the_run() -> None:
    assert checked_loss(1.5, step=3) == 1.5
    with pytest.raises(HieraError, match="the loss is nan at step 3"):
        checked_loss(float("nan"), step=3)
