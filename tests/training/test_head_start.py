"""Runs that begin with a fitted head: what they begin with, when they end, what they say."""

import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from hiera_cli.checkpoints.open import open_model, save_model
from hiera_cli.checkpoints.preprocessing import Preprocessing
from hiera_cli.heads.choose import Choice, choose_setting
from hiera_cli.heads.examples import Examples
from hiera_cli.heads.options import HeadOptions
from hiera_cli.model.config import SIDE_STAGES, HieraConfig
from hiera_cli.model.hiera import Hiera
from hiera_cli.training.finetune import finetune
from hiera_cli.training.options import ClipOptions, FinetuneOptions, RunOptions
from hiera_cli.training.recipe import FinetuneChanges
from hiera_cli.training.records import Epoch, Skipped, Step
from hiera_cli.video.isolation import worker
from hiera_cli.video.isolation.parent import DecodeProcess
from tests.parity.official import enliven
from tests.training.media import CONFIG, SHIFTS

QUIET = FinetuneChanges(
    epochs=4, batch_size=8, lr=1e-7, warmup_epochs=0.0, min_area=1.0, flip=False
)


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Weights that know two other classes."""
    folder = tmp_path_factory.mktemp("models") / "pretrained"
    config = HieraConfig.from_dict({**CONFIG, "num_classes": 2})
    model = Hiera(config).eval()
    enliven(model, seed=0)
    save_model(
        folder,
        model,
        labels=("in", "out"),
        preprocessing=Preprocessing.for_config(config),
        extra={},
    )
    return str(folder)


def run_to_the_end(
    data: Path, model: str, out: Path, *, changes: FinetuneChanges = QUIET, **more: object
) -> list[object]:
    options = FinetuneOptions(data=str(data), val=str(data), model=model, **more)  # type: ignore[arg-type]
    run = RunOptions(out=out, workers=0, device="cpu")
    return list(finetune(options, run, clips=ClipOptions(isolate=False), changes=changes))


def test_a_run_begins_with_the_fitted_head_and_keeps_it_where_nothing_is_better(
    classes: Path, pretrained: str, tmp_path: Path
) -> None:
    records = run_to_the_end(
        classes, pretrained, tmp_path / "run", changes=replace(QUIET, patience=2)
    )
    epochs = [record for record in records if isinstance(record, Epoch)]
    first = epochs[0]
    assert (first.epoch, first.step, first.is_best) == (0, 0, True)
    assert first.validation is not None
    assert first.validation.top1 > 0.6  # of features of random weights, 0.25 by chance
    assert first.train_loss < 1.0
    assert not any(isinstance(record, Step) for record in records[: records.index(first)])
    loaded = open_model(str(tmp_path / "run"))
    assert loaded.labels == tuple(sorted(SHIFTS))


def test_patience_ends_a_run(classes: Path, pretrained: str, tmp_path: Path) -> None:
    """A learning rate that breaks everything: no epoch is better than the first validation."""
    changes = replace(QUIET, epochs=8, lr=10.0, patience=2, ema_decay=0.0)
    records = run_to_the_end(classes, pretrained, tmp_path / "run", changes=changes)
    epochs = [record for record in records if isinstance(record, Epoch)]
    assert [epoch.epoch for epoch in epochs] == [0, 1, 2]
    assert [epoch.is_best for epoch in epochs] == [True, False, False]
    again = run_to_the_end(classes, pretrained, tmp_path / "run", changes=changes)
    assert not [record for record in again if isinstance(record, Step | Epoch)]


@pytest.fixture
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cross-validation prefers a head that sees more."""

    def choose(examples: Examples, options: HeadOptions) -> Choice:
        return replace(choose_setting(examples, options), loss=1 / examples.features.shape[1])

    monkeypatch.setattr("hiera_cli.heads.choose.choose_setting", choose)


@pytest.mark.usefixtures("wide")
def test_a_stopped_run_goes_on_with_a_head_that_sees_earlier_stages(
    classes: Path, pretrained: str, tmp_path: Path
) -> None:
    stopped, whole = tmp_path / "stopped", tmp_path / "whole"
    options = FinetuneOptions(data=str(classes), val=str(classes), model=pretrained)
    run = RunOptions(out=stopped, workers=0, device="cpu", save_every=1)
    clips, changes = ClipOptions(isolate=False), replace(QUIET, epochs=2, lr=1e-3)
    first = list[object]()
    for record in finetune(options, run, clips=clips, changes=changes):
        first.append(record)
        if isinstance(record, Step) and record.step == 2:
            break
    start = next(record for record in first if isinstance(record, Epoch))
    assert start.train_loss < 1.0  # of a head that begins afresh log 4
    assert open_model(str(stopped / "last")).model.config.head_stages == SIDE_STAGES
    list(finetune(options, run, clips=clips, changes=changes))
    list(finetune(options, replace(run, out=whole), clips=clips, changes=changes))
    one = load_file(stopped / "last/model.safetensors")
    other = load_file(whole / "last/model.safetensors")
    assert all(one[name].equal(other[name]) for name in other)
    assert open_model(str(whole)).model.config.head_stages == SIDE_STAGES


@pytest.mark.usefixtures("wide")
@pytest.mark.parametrize("head_start", ["fit", "none"])
def test_what_the_head_of_a_fitted_model_sees_does_not_hinder_another(
    classes: Path, pretrained: str, tmp_path: Path, head_start: str
) -> None:
    changes = replace(QUIET, epochs=1)
    run_to_the_end(classes, pretrained, tmp_path / "first", changes=changes)
    files = sorted(classes.rglob("*.mp4"))
    lines = [f"{file} {'still' if file.parent.name == 'static' else 'moves'}\n" for file in files]
    data, first, out = tmp_path / "list.txt", str(tmp_path / "first"), tmp_path / "second"
    data.write_text("".join(lines))
    run_to_the_end(data, first, out, changes=changes, head_start=head_start)
    loaded = open_model(str(out))
    assert loaded.labels == ("moves", "still")
    assert loaded.model.config.head_stages == SIDE_STAGES


def test_a_head_that_starts_afresh(classes: Path, pretrained: str, tmp_path: Path) -> None:
    records = run_to_the_end(
        classes, pretrained, tmp_path / "run", changes=replace(QUIET, epochs=1), head_start="none"
    )
    (epoch,) = (record for record in records if isinstance(record, Epoch))
    assert epoch.epoch == 1


def test_rare_classes_count_as_much_as_frequent_ones(
    classes: Path, pretrained: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    files = sorted(classes.rglob("*.mp4"))
    kept = [f for f in files if f.parent.name == "static" or f.name == files[0].name]
    (tmp_path / "list.txt").write_text("".join(f"{f} {f.parent.name}\n" for f in kept))
    with caplog.at_level("INFO", logger="hiera_cli"):
        run_to_the_end(
            tmp_path / "list.txt",
            pretrained,
            tmp_path / "run",
            changes=replace(QUIET, epochs=1),
            class_weights="auto",
        )
    assert "classes have 1 to 4 clips: each counts the same" in caplog.text
    assert "7 clips are few: batches of 8" in caplog.text


def test_a_file_that_aborts_the_decoder_is_skipped(
    classes: Path, pretrained: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    doomed = str(sorted(classes.rglob("*.mp4"))[5])
    decode, start_child, dying = DecodeProcess.decode, worker._start, []

    def start(shared: int | None) -> object:
        child = start_child(shared)
        if dying:
            os.kill(child.pid, signal.SIGABRT)
        return child

    def fragile(self: DecodeProcess, path: str, *rest: object, **more: object) -> object:
        if path == doomed:
            self.close()
            dying.append(path)
        try:
            return (yield from decode(self, path, *rest, **more))  # type: ignore[arg-type]
        finally:
            dying.clear()

    monkeypatch.setattr(worker, "_start", start)
    monkeypatch.setattr(DecodeProcess, "decode", fragile)
    options = FinetuneOptions(data=str(classes), val=str(classes), model=pretrained)
    run = RunOptions(out=tmp_path / "run", workers=0, device="cpu")
    records = list(finetune(options, run, changes=replace(QUIET, epochs=2)))
    (skipped,) = (record for record in records if isinstance(record, Skipped))
    assert (skipped.failure.path, skipped.failure.kind) == (doomed, "corrupt")
    last = [record for record in records if isinstance(record, Epoch)][-1]
    assert last.validation is not None
    assert (last.validation.num_videos, last.validation.num_failed) == (15, 1)


def test_the_loss_weighs_classes() -> None:
    logits, targets = torch.tensor([[2.0, 0.0], [2.0, 0.0]]), torch.eye(2)
    weighted = torch.nn.functional.cross_entropy(logits, targets, weight=torch.tensor([0.5, 1.5]))
    each = torch.nn.functional.cross_entropy(logits, targets, reduction="none")
    assert weighted.item() == pytest.approx((0.5 * each[0] + 1.5 * each[1]).item() / 2)


def test_the_head_gives_way_only_to_what_is_better_by_a_standard_error(
    classes: Path, pretrained: str, tmp_path: Path
) -> None:
    changes = replace(QUIET, epochs=6, lr=1e-3, ema_decay=0.0)
    records = run_to_the_end(classes, pretrained, tmp_path / "run", changes=changes)
    start, *later = [record for record in records if isinstance(record, Epoch)]
    assert start.validation is not None
    top1, num = start.validation.top1, start.validation.num_videos
    bar = top1 + (top1 * (1 - top1) / num) ** 0.5
    for epoch in later:
        assert epoch.validation is not None
        if epoch.is_best:
            assert epoch.validation.top1 > bar - 1e-9
            bar = epoch.validation.top1
        else:
            assert epoch.validation.top1 <= bar + 1e-9
