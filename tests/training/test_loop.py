import json
import os
import shlex
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from safetensors.torch import load_file

from hiera_cli.errors import NoInputError, UsageError
from hiera_cli.training.finetune import finetune
from hiera_cli.training.options import ClipOptions, FinetuneOptions, RunOptions
from hiera_cli.training.recipe import FinetuneChanges
from hiera_cli.training.records import Epoch, Skipped, Started, Step
from tests.training.media import write_classes

CHANGES = FinetuneChanges(
    epochs=6,
    batch_size=8,
    repeats=2,
    lr=1e-3,
    drop_path=0.2,
    head_dropout=0.2,
    mixup=0.8,
    cutmix=1.0,
    magnitude=0.0,
    ema_decay=0.9,
)
FLAGS = shlex.split(
    "--epochs 6 --batch-size 8 --repeats 2 --lr 1e-3 --drop-path 0.2 --head-dropout 0.2 "
    "--mixup 0.8 --cutmix 1.0 --magnitude 0 --ema-decay 0.9 --device cpu --from-scratch "
    "--symmetry mirror --symmetry reversal"
)


def losses(run: Path) -> list[tuple[int, float]]:
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [(line["step"], line["loss"]) for line in lines if line["event"] == "step"]


def options(classes: Path, tiny: str) -> FinetuneOptions:
    return FinetuneOptions(
        data=str(classes),
        val=str(classes),
        model=tiny,
        from_scratch=True,
        symmetries=["mirror", "reversal"],
    )


def test_a_killed_run_continues_exactly(
    classes: Path, tiny: str, clip_cache: Path, tmp_path: Path
) -> None:
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    command = [sys.executable, "-m", "hiera_cli", "finetune", str(classes), "--val", str(classes)]
    command += ["-m", tiny, "-o", str(killed), "--cache", str(clip_cache), *FLAGS]
    command += ["--workers", "1", "--save-every", "1"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        if (killed / "metrics.jsonl").exists() and len(losses(killed)) >= 5:
            break
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert 5 <= len(losses(killed)) < 12

    clips = ClipOptions(cache=clip_cache)
    run = RunOptions(out=killed, workers=0, device="cpu")
    records = list(finetune(options(classes, tiny), run, clips=clips, changes=CHANGES))
    assert isinstance(records[0], Started)
    assert records[0].first_step >= 4
    list(finetune(options(classes, tiny), replace(run, out=whole), clips=clips, changes=CHANGES))

    assert losses(killed) == losses(whole)
    for name in ("model.safetensors", "last/model.safetensors"):
        one, other = load_file(killed / name), load_file(whole / name)
        assert all(one[key].equal(other[key]) for key in other)


def test_other_settings_do_not_continue_a_run(
    classes: Path, tiny: str, clip_cache: Path, tmp_path: Path
) -> None:
    clips, run = ClipOptions(cache=clip_cache), RunOptions(out=tmp_path, workers=0, device="cpu")
    short = replace(CHANGES, epochs=1)
    list(finetune(options(classes, tiny), run, clips=clips, changes=short))
    with pytest.raises(UsageError, match=r"other settings: lr 0\.001 -> 0\.1"):
        list(finetune(options(classes, tiny), run, clips=clips, changes=replace(short, lr=0.1)))
    again = replace(run, on_existing="error")
    with pytest.raises(UsageError, match="holds a run"):
        list(finetune(options(classes, tiny), again, clips=clips, changes=short))
    over = replace(run, on_existing="overwrite")
    records = list(finetune(options(classes, tiny), over, clips=clips, changes=short))
    assert records[0].first_step == 0
    finished = list(finetune(options(classes, tiny), run, clips=clips, changes=short))
    assert len(finished) == 1  # nothing was left to do


def test_unreadable_videos_are_skipped_counted_and_reported_once(tiny: str, tmp_path: Path) -> None:
    folder = write_classes(tmp_path / "classes", clips_per_class=2)
    (folder / "static" / "broken.mp4").write_bytes(b"this is not a video" * 100)
    (folder / "tilt up" / "cut.mp4").write_bytes((folder / "tilt up" / "0.mp4").read_bytes()[:200])
    data = replace(options(folder, tiny), val=str(folder))
    run = RunOptions(out=tmp_path / "run", workers=0, device="cpu")
    changes = replace(CHANGES, epochs=2, batch_size=10, repeats=1, ema_decay=0.0)
    records = list(finetune(data, run, changes=changes))
    skipped = sorted(Path(r.failure.path).name for r in records if isinstance(r, Skipped))
    assert skipped == ["broken.mp4", "cut.mp4"]
    steps = [r for r in records if isinstance(r, Step)]
    assert [s.num_clips for s in steps] == [8, 8]
    assert [s.num_failed for s in steps] == [2, 2]
    validation = [r.validation for r in records if isinstance(r, Epoch)][-1]
    assert validation is not None
    assert (validation.num_videos, validation.num_failed) == (8, 2)


def test_a_data_set_without_one_readable_video_is_an_error(tiny: str, tmp_path: Path) -> None:
    for label in ("a", "b"):
        (tmp_path / "data" / label).mkdir(parents=True)
        (tmp_path / "data" / label / "x.mp4").write_bytes(b"nothing")
    data = FinetuneOptions(data=str(tmp_path / "data"), model=tiny, from_scratch=True)
    run = RunOptions(out=tmp_path / "run", workers=0, device="cpu")
    with pytest.raises(NoInputError, match="none of the 2 training files"):
        list(finetune(data, run, changes=replace(CHANGES, batch_size=2)))


def test_workers_do_not_change_the_losses(
    classes: Path, tiny: str, clip_cache: Path, tmp_path: Path
) -> None:
    clips, short = ClipOptions(cache=clip_cache), replace(CHANGES, epochs=1)
    for workers in (0, 2):
        run = RunOptions(out=tmp_path / str(workers), workers=workers, device="cpu")
        list(finetune(options(classes, tiny), run, clips=clips, changes=short))
    assert losses(tmp_path / "0") == losses(tmp_path / "2")


def test_validation_may_wait_several_epochs(
    classes: Path, tiny: str, clip_cache: Path, tmp_path: Path
) -> None:
    run = RunOptions(out=tmp_path / "run", workers=0, device="cpu", validate_every=4)
    records = finetune(
        options(classes, tiny), run, clips=ClipOptions(cache=clip_cache), changes=CHANGES
    )
    assert [(r.epoch, r.step) for r in records if isinstance(r, Epoch)] == [(4, 8), (6, 12)]
    with pytest.raises(UsageError, match="--validate-every"):
        replace(run, validate_every=0)
