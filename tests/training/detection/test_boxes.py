import json
from dataclasses import replace

import pytest
import torch

from hiera_cli.checkpoints.detector import open_detector
from hiera_cli.checkpoints.zoo import find_model
from hiera_cli.errors import UsageError
from hiera_cli.model.window_positions import tile_positions
from hiera_cli.training.detection.boxes import (
    box_recipe,
    finetune_boxes,
    fresh_encoder,
    make_detector,
)
from hiera_cli.training.detection.options import (
    BoxOptions,
    BoxRecipe,
    DetectorChanges,
    changed,
    refuse_others,
    shaped,
)
from hiera_cli.training.initial import Initial
from hiera_cli.training.optim import stepped
from hiera_cli.training.options import ClipOptions, FinetuneOptions, RunOptions
from hiera_cli.training.recipe import FinetuneChanges
from hiera_cli.training.records import Epoch, Skipped, Started, Step
from tests.coco import CLASSES, write_shapes, write_voc
from tests.configs import tiny_image, tiny_video

SHAPE = DetectorChanges(size=64, width=16, head_convs=1, anchor_scale=4, proposals=20,
                        min_scale=0.8, max_scale=1.2)  # fmt: skip
SMALL = shaped(BoxOptions(), SHAPE)
CLIPS = ClipOptions()
CHANGES = FinetuneChanges(epochs=2, batch_size=2, lr=1e-3, drop_path=0)


@pytest.fixture
def shapes(tmp_path):
    folder = write_shapes(tmp_path / "shapes" / "train", num=4, seed=0)
    (tmp_path / "config.json").write_text(json.dumps(tiny_image(64).to_dict()))
    return folder.parent


def train(shapes, out, *, masks=False, **changes):
    options = FinetuneOptions(
        data=str(shapes), model=str(shapes.parent / "config.json"), from_scratch=True
    )
    run = RunOptions(out=out, device="cpu", workers=0)
    changed_recipe = replace(CHANGES, **changes)
    records = finetune_boxes(
        options, run, clips=CLIPS, shape=SHAPE, changes=changed_recipe, masks=masks
    )
    return list(records)


def test_a_run_is_a_detector(shapes, tmp_path):
    (shapes / "train" / "2.png").unlink()
    records = train(shapes, tmp_path / "run")
    assert [type(record) for record in records if not isinstance(record, Skipped)] == [
        Started, Step, Step, Epoch, Step, Step, Epoch,
    ]  # fmt: skip
    (skipped,) = (record for record in records if isinstance(record, Skipped))
    assert (skipped.failure.kind, skipped.failure.path[-5:]) == ("not_found", "2.png")
    opened = open_detector(str(tmp_path / "run"))
    assert opened.labels == CLASSES
    assert (opened.model.size, opened.preprocessing.crop_size) == (64, 64)
    again = train(shapes, tmp_path / "run")
    assert [type(record) for record in again] == [Started]


def test_a_run_with_masks(shapes, tmp_path):
    write_shapes(shapes / "val", num=2, seed=1)
    records = train(shapes, tmp_path / "run", masks=True, epochs=1)
    assert records[-1].validation.num_samples == 2
    opened = open_detector(str(tmp_path / "run"))
    assert opened.model.config.masks
    path = shapes / "val" / "annotations.json"
    path.write_text(path.read_text().replace('"segmentation"', '"shape"'))
    with pytest.raises(UsageError, match="annotation 1 has no segmentation"):
        train(shapes, tmp_path / "other", masks=True)


def test_a_run_on_voc_files_is_that_on_the_same_boxes_as_coco(shapes, tmp_path):
    write_shapes(shapes / "val", num=2, seed=1)
    for split in ("train", "val"):
        write_voc(shapes / split, tmp_path / "voc", split=split)
    coco = train(shapes, tmp_path / "coco", epochs=1)
    (tmp_path / "voc" / "JPEGImages" / "val_1.png").unlink()
    options = FinetuneOptions(data=str(tmp_path / "voc"), from_scratch=True,
                              model=str(tmp_path / "config.json"))  # fmt: skip
    run = RunOptions(out=tmp_path / "run", device="cpu", workers=0)
    changes = replace(CHANGES, epochs=1)
    voc = list(finetune_boxes(options, run, clips=CLIPS, shape=SHAPE, changes=changes))
    assert set(open_detector(str(tmp_path / "run")).labels) == set(CLASSES)
    assert [record.loss for record in voc if isinstance(record, Step)] == pytest.approx(
        [record.loss for record in coco if isinstance(record, Step)], rel=0.2
    )
    assert (voc[-1].validation.num_samples, voc[-1].validation.num_failed) == (1, 1)


def test_an_interrupted_run_ends_as_an_uninterrupted_one(shapes, tmp_path):
    whole = train(shapes, tmp_path / "whole")
    options = FinetuneOptions(
        data=str(shapes), model=str(shapes.parent / "config.json"), from_scratch=True
    )
    run = RunOptions(out=tmp_path / "cut", device="cpu", workers=0)
    records = finetune_boxes(options, run, clips=CLIPS, shape=SHAPE, changes=CHANGES)
    while not isinstance(next(records), Epoch):
        pass
    records.close()
    rest = train(shapes, tmp_path / "cut")
    assert rest[0].first_step == 2
    assert rest[-1].train_loss == pytest.approx(whole[-1].train_loss, rel=1e-5)


def test_another_run_is_refused(shapes, tmp_path):
    train(shapes, tmp_path / "run", epochs=1)
    options = FinetuneOptions(data=str(shapes), model=str(shapes.parent / "config.json"),
                              from_scratch=True)  # fmt: skip
    run = RunOptions(out=tmp_path / "run", device="cpu", workers=0)
    other = replace(SHAPE, width=8)
    with pytest.raises(UsageError, match="width 16 -> 8"):
        list(finetune_boxes(options, run, clips=CLIPS, shape=other, changes=CHANGES))


def test_numbers_of_other_tasks_are_refused():
    with pytest.raises(UsageError, match="--mixup"):
        changed(BoxRecipe(), FinetuneChanges(mixup=0.5))
    with pytest.raises(UsageError, match="--min-lr, --repeats"):
        changed(BoxRecipe(), FinetuneChanges(repeats=2, min_lr=0.1), unused=("repeats", "min_lr"))
    assert changed(BoxRecipe(), FinetuneChanges(lr=1e-3)).lr == 1e-3
    with pytest.raises(UsageError, match="--stride"):
        shaped(BoxOptions(), DetectorChanges(stride=16))
    with pytest.raises(UsageError, match="--calibrate, --symmetry"):
        refuse_others(FinetuneOptions(data="x", calibrate=True, symmetries=["mirror"]), used=())


@pytest.mark.parametrize(
    ("name", "lr", "drop_path"),
    [
        ("hiera_base_224", 3.5e-5, 0.2),
        ("hiera_base_plus_224", 3.5e-5, 0.2),
        ("hiera_large_224", 3e-5, 0.4),
    ],
)
def test_the_papers_recipe(name, lr, drop_path):
    """Table 15."""
    recipe = box_recipe(find_model(name).config)
    assert (recipe.lr, recipe.drop_path, recipe.batch_size, recipe.epochs) == (
        lr, drop_path, 64, 100,
    )  # fmt: skip
    assert (recipe.optimizer, recipe.betas, recipe.weight_decay) == ("adamw", (0.9, 0.999), 0.1)
    assert (recipe.layer_decay, BoxOptions().min_scale, BoxOptions().max_scale) == (1.0, 0.1, 2.0)


def test_the_papers_schedule():
    def lr(step):
        return stepped(250)(BoxRecipe(lr=1.0), step, 184_375, 1844)

    assert lr(0) == pytest.approx(0.001)
    assert lr(125) == pytest.approx(0.5005)
    assert [lr(step) for step in (250, 163_888)] == [1.0, 1.0]
    assert [round(lr(step), 4) for step in (163_889, 177_547)] == [0.1, 0.01]


def test_weights_come_along_at_a_larger_size():
    config = tiny_image(64)
    encoder = fresh_encoder(config)
    torch.nn.init.normal_(encoder.pos_embed)
    initial = Initial(config, None, (), encoder.state_dict())
    model = make_detector(initial, replace(SMALL, size=160), BoxRecipe(), num_classes=3)
    assert model.pyramid.windows is not None
    assert model.pyramid.windows.units == (2, 2)
    found = model.pyramid.encoder.state_dict()
    assert torch.equal(found["blocks.2.attn.qkv.weight"], encoder.blocks[2].attn.qkv.weight)
    expected = tile_positions(initial.weights, config, tiny_image(160))["pos_embed"]
    assert torch.equal(found["pos_embed"], expected)


def test_a_video_model_is_refused():
    with pytest.raises(UsageError, match="image model"):
        make_detector(Initial(tiny_video(32), None), SMALL, BoxRecipe(), num_classes=2)
