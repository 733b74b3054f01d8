import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from hiera_cli.checkpoints.open import open_model
from hiera_cli.errors import UsageError
from hiera_cli.training.finetune import finetune
from hiera_cli.training.options import ClipOptions, FinetuneOptions, RunOptions
from hiera_cli.training.recipe import FinetuneChanges
from hiera_cli.training.records import Epoch, Started, Step
from tests.training.media import SHIFTS, write_classes

PLAIN = FinetuneChanges(
    epochs=1,
    warmup_epochs=0,
    batch_size=16,
    repeats=1,
    lr=3e-3,
    clip_norm=1.0,
    drop_path=0.0,
    head_dropout=0.0,
    layer_decay=1.0,
    label_smoothing=0.0,
    mixup=0.0,
    cutmix=0.0,
    magnitude=0.0,
    min_area=1.0,
    flip=False,
)


@pytest.fixture
def run(tmp_path: Path) -> RunOptions:
    return RunOptions(out=tmp_path / "run", workers=0, device="cpu")


@pytest.fixture
def clips(clip_cache: Path) -> ClipOptions:
    return ClipOptions(cache=clip_cache)


@pytest.fixture
def scratch(classes: Path, tiny: str) -> FinetuneOptions:
    return FinetuneOptions(data=str(classes), val=str(classes), model=tiny, from_scratch=True)


def test_a_tiny_model_learns_sixteen_clips_by_heart(
    scratch: FinetuneOptions, run: RunOptions, clips: ClipOptions
) -> None:
    changes = replace(PLAIN, epochs=16, warmup_epochs=2, batch_size=8, lr=2e-3)
    records = list(finetune(scratch, run, clips=clips, changes=changes))
    assert records[0] == Started(16, 32, 2, 0, records[0].num_parameters, "cpu")
    last = [r for r in records if isinstance(r, Epoch)][-1]
    assert last.validation is not None
    assert last.validation.top1 == 1.0
    assert last.train_loss < 0.5
    loaded = open_model(run.out)
    assert loaded.labels == tuple(sorted(SHIFTS))
    assert loaded.preprocessing.num_frames == 8


def test_all_augmentations_at_once_train(
    scratch: FinetuneOptions, run: RunOptions, clips: ClipOptions
) -> None:
    changes = replace(
        PLAIN,
        batch_size=8,
        repeats=2,
        drop_path=0.2,
        head_dropout=0.3,
        layer_decay=0.8,
        label_smoothing=0.1,
        mixup=0.8,
        cutmix=1.0,
        magnitude=7.0,
        erase=1.0,
        flip=True,
        ema_decay=0.9,
        optimizer="sgd",
    )
    run = replace(run, accumulate=2, checkpoint_activations=True, precision="bfloat16")
    steps = [r for r in finetune(scratch, run, clips=clips, changes=changes) if isinstance(r, Step)]
    assert [s.num_clips for s in steps] == [8, 8]
    assert all(1.0 < s.loss < 2.0 for s in steps)


def test_accumulated_parts_give_the_same_result(
    scratch: FinetuneOptions, run: RunOptions, clips: ClipOptions
) -> None:
    changes = replace(PLAIN, epochs=2, mixup=0.8, cutmix=1.0)
    whole = replace(run, out=run.out / "whole")
    parts = replace(run, out=run.out / "parts", accumulate=4)
    for options in (whole, parts):
        list(finetune(scratch, options, clips=clips, changes=changes))
    one, other = (load_file(o.out / "last" / "model.safetensors") for o in (whole, parts))
    assert max((one[k] - other[k]).abs().max().item() for k in one) < 1e-4


def test_checkpointed_activations_give_the_same_losses(
    scratch: FinetuneOptions, run: RunOptions, clips: ClipOptions
) -> None:
    changes = replace(PLAIN, epochs=2, drop_path=0.3, head_dropout=0.3)
    plain = replace(run, out=run.out / "plain")
    saving = replace(run, out=run.out / "saving", checkpoint_activations=True)
    losses = [
        [r.loss for r in finetune(scratch, o, clips=clips, changes=changes) if isinstance(r, Step)]
        for o in (plain, saving)
    ]
    assert losses[0] == pytest.approx(losses[1], abs=1e-6)


def test_other_classes_get_a_fresh_head_and_the_same_ones_keep_theirs(
    scratch: FinetuneOptions, run: RunOptions, clips: ClipOptions, tmp_path: Path
) -> None:
    list(finetune(scratch, run, clips=clips, changes=PLAIN))
    kept = load_file(run.out / "model.safetensors")
    still = replace(PLAIN, lr=0.0, min_lr=0.0)

    same = replace(scratch, model=str(run.out), from_scratch=False)
    list(finetune(same, replace(run, out=tmp_path / "same"), clips=clips, changes=still))
    found = load_file(tmp_path / "same" / "model.safetensors")
    assert all(torch.equal(found[name], kept[name]) for name in kept)

    two = write_classes(tmp_path / "two", clips_per_class=1)
    (two / "static").rename(two / "still standing")
    other = replace(same, data=str(two), val=None)
    list(finetune(other, replace(run, out=tmp_path / "other"), clips=clips, changes=still))
    found = load_file(tmp_path / "other" / "model.safetensors")
    assert not torch.equal(found["head.projection.weight"], kept["head.projection.weight"])
    assert torch.equal(found["blocks.3.mlp.fc1.weight"], kept["blocks.3.mlp.fc1.weight"])
    config = json.loads((tmp_path / "other" / "config.json").read_text())
    assert config["labels"] == ["pan left", "pan right", "still standing", "tilt up"]


def test_a_frozen_backbone_stays(
    scratch: FinetuneOptions, run: RunOptions, clips: ClipOptions, tmp_path: Path
) -> None:
    list(finetune(scratch, run, clips=clips, changes=PLAIN))
    before = load_file(run.out / "model.safetensors")
    probe = replace(scratch, model=str(run.out), from_scratch=False, freeze_backbone=True)
    changes = replace(PLAIN, epochs=3, drop_path=0.5)
    records = list(finetune(probe, replace(run, out=tmp_path / "p"), clips=clips, changes=changes))
    assert records[0].num_parameters == sum(
        value.numel() for name, value in before.items() if name.startswith("head.")
    )
    after = load_file(tmp_path / "p" / "last" / "model.safetensors")
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {"head.projection.weight", "head.projection.bias"}


def test_segments_are_sampled_over_the_whole_video(
    scratch: FinetuneOptions, run: RunOptions
) -> None:
    options = replace(scratch, sampling="segments")
    steps = [r for r in finetune(options, run, changes=PLAIN) if isinstance(r, Step)]
    assert [s.num_clips for s in steps] == [16]
    assert open_model(run.out).preprocessing.sampling == "segments"


def test_a_model_may_look_at_the_whole_frame(scratch: FinetuneOptions, run: RunOptions) -> None:
    list(finetune(replace(scratch, crop_mode="squash"), run, changes=PLAIN))
    assert open_model(run.out).preprocessing.crop_mode == "squash"


def test_an_architecture_alone_has_no_weights(tiny: str, classes: Path, run: RunOptions) -> None:
    options = FinetuneOptions(data=str(classes), model=tiny)
    with pytest.raises(UsageError, match="architecture without weights"):
        next(finetune(options, run))


def test_something_something_brings_its_recipe(
    tmp_path: Path, tiny: str, classes: Path, run: RunOptions, clips: ClipOptions
) -> None:
    rows = []
    for number, path in enumerate(sorted(classes.rglob("*.mp4"))):
        (tmp_path / f"{number}.mp4").symlink_to(path)
        rows.append({"id": str(number), "template": f"Pushing [something] {path.parent.name}"})
    labels = tmp_path / "something-something-v2-train.json"
    labels.write_text(json.dumps(rows))
    options = FinetuneOptions(data=str(labels), model=tiny, from_scratch=True)
    records = finetune(options, run, clips=clips, changes=FinetuneChanges(batch_size=8, epochs=0.5))
    assert [r.lr for r in records if isinstance(r, Step)] == pytest.approx([0.005], rel=0.01)
    settings = torch.load(run.out / "last" / "training_state.pt")["settings"]
    assert (settings["recipe"], settings["optimizer"], settings["flip"]) == ("ssv2", "sgd", False)
    assert open_model(str(run.out)).preprocessing.sampling == "segments"
