from dataclasses import fields, replace

import pytest

from hiera_cli.checkpoints.open import open_model
from hiera_cli.checkpoints.zoo import find_model
from hiera_cli.errors import UsageError
from hiera_cli.model.config import HieraConfig
from hiera_cli.training.recipe import FinetuneChanges, PretrainChanges, Recipe
from hiera_cli.training.recipes import FINETUNE, PRETRAIN, finetune_recipe, pretrain_recipe
from tests.training.media import CONFIG


def config_of(name: str) -> HieraConfig:
    model = find_model(name)
    assert model is not None
    return model.config


# The tables of the paper's appendix, row by row (tables 11, 12 and 14).
COLUMNS = ("epochs", "warmup_epochs", "batch_size", "repeats", "lr", "drop_path")
FINETUNE_ROWS = {  # ... and head dropout, layer decay
    "hiera_base_16x224": (150, 10, 256, 2, 8e-4, 0.2, 0.3, 0.85),
    "hiera_base_plus_16x224": (150, 10, 256, 2, 8e-4, 0.2, 0.3, 0.85),
    "hiera_large_16x224": (100, 10, 256, 2, 8e-4, 0.2, 0.5, 0.9),
    "hiera_huge_16x224": (100, 10, 256, 2, 4e-4, 0.3, 0.5, 0.9),
    "hiera_tiny_224": (300, 5, 1024, 1, 2e-3, 0.1, 0.0, 0.65),
    "hiera_small_224": (200, 5, 1024, 1, 2e-3, 0.1, 0.0, 0.65),
    "hiera_base_224": (100, 5, 1024, 1, 2e-3, 0.1, 0.0, 0.7),
    "hiera_base_plus_224": (100, 5, 1024, 1, 1e-3, 0.1, 0.0, 0.7),
    "hiera_large_224": (50, 5, 1024, 1, 1e-3, 0.1, 0.0, 0.85),
    "hiera_huge_224": (50, 5, 1024, 1, 1e-3, 0.3, 0.0, 0.85),
}
PRETRAIN_ROWS = {  # ... and mask ratio, decoder heads, smallest crop, gradient clipping
    "hiera_base_16x224": (800, 120, 512, 4, 8e-4, 0.1, 0.9, 8, 0.5, 0.02),
    "hiera_base_plus_16x224": (800, 120, 512, 4, 8e-4, 0.2, 0.9, 8, 0.5, 0.02),
    "hiera_large_16x224": (800, 120, 512, 4, 8e-4, 0.2, 0.9, 8, 0.5, 0.02),
    "hiera_huge_16x224": (800, 120, 512, 4, 8e-4, 0.3, 0.9, 8, 0.5, 0.02),
    "hiera_tiny_224": (400, 40, 4096, 1, 8e-4, 0.0, 0.6, 16, 0.2, 0.0),
    "hiera_small_224": (400, 40, 4096, 1, 8e-4, 0.0, 0.6, 16, 0.2, 0.0),
    "hiera_base_224": (400, 40, 4096, 1, 8e-4, 0.2, 0.6, 16, 0.2, 0.0),
    "hiera_base_plus_224": (400, 40, 4096, 1, 8e-4, 0.2, 0.6, 16, 0.2, 0.0),
    "hiera_large_224": (400, 40, 4096, 1, 8e-4, 0.2, 0.6, 16, 0.2, 0.0),
    "hiera_huge_224": (400, 40, 4096, 1, 8e-4, 0.3, 0.6, 16, 0.2, 0.0),
}


def values_of(recipe: Recipe, *names: str) -> tuple[float, ...]:
    return tuple(getattr(recipe, name) for name in (*COLUMNS, *names))


@pytest.mark.parametrize("name", FINETUNE_ROWS)
def test_finetuning_follows_the_paper(name: str) -> None:
    recipe = finetune_recipe(config_of(name))
    assert values_of(recipe, "head_dropout", "layer_decay") == FINETUNE_ROWS[name]
    assert (recipe.mixup, recipe.cutmix, recipe.label_smoothing) == (0.8, 1.0, 0.1)
    assert (recipe.optimizer, recipe.betas, recipe.weight_decay) == ("adamw", (0.9, 0.999), 0.05)
    is_video = "16x224" in name
    assert (recipe.magnitude, recipe.erase) == ((7.0, 0.0) if is_video else (9.0, 0.25))
    assert recipe.flip


@pytest.mark.parametrize("name", PRETRAIN_ROWS)
def test_pretraining_follows_the_paper(name: str) -> None:
    recipe = pretrain_recipe(config_of(name))
    more = ("mask_ratio", "decoder_heads", "min_area", "clip_norm")
    assert values_of(recipe, *more) == PRETRAIN_ROWS[name]
    assert (recipe.optimizer, recipe.betas, recipe.weight_decay) == ("adamw", (0.9, 0.95), 0.05)
    assert (recipe.decoder_width, recipe.decoder_depth, recipe.flip) == (512, 8, True)


@pytest.mark.parametrize(
    ("frames", "row"),
    [
        (16, (40, 3, 256, 1, 0.16, 0.1, 0.5, 0.875, 0.8, 1.0, 0.1)),
        (32, (40, 3, 128, 1, 0.08, 0.2, 0.5, 0.875, 0.0, 0.0, 0.0)),
    ],
)
def test_something_something_follows_the_paper(frames: int, row: tuple[float, ...]) -> None:
    config = replace(config_of("hiera_large_16x224"), input_size=(frames, 224, 224))
    recipe = finetune_recipe(config, kind="ssv2")
    more = ("head_dropout", "layer_decay", "mixup", "cutmix", "label_smoothing")
    assert values_of(recipe, *more) == row
    assert (recipe.optimizer, recipe.weight_decay, recipe.magnitude) == ("sgd", 1e-4, 7.0)
    assert not recipe.flip
    before = pretrain_recipe(config, kind="ssv2")
    assert values_of(before, "mask_ratio") == (1600, 30, 1024, 4, 8e-4, 0.2, 0.9)
    assert (before.clip_norm, before.min_area, before.flip) == (0.02, 0.5, False)


@pytest.mark.parametrize("size", [224, 448])
@pytest.mark.parametrize("name", [name for name in FINETUNE_ROWS if "16x224" not in name])
def test_transfer_is_imagenets_recipe_within_what_the_paper_searched(name: str, size: int) -> None:
    """Table 14b, and appendix A.2: layer decay, drop path and dropout out of lists; H at 448."""
    config = replace(config_of(name), input_size=(size, size))
    recipe = finetune_recipe(config, kind="transfer")
    assert values_of(recipe) == FINETUNE_ROWS[name][: len(COLUMNS)]
    assert recipe.layer_decay in (0.875, 0.9, 0.925)
    assert recipe.head_dropout in (0.1, 0.2, 0.3)
    assert 0.1 <= recipe.drop_path <= 0.5
    assert recipe.position_lr == (0.5 if (name, size) == ("hiera_huge_224", 448) else None)
    imagenet = finetune_recipe(config)
    changed = {"layer_decay", "head_dropout", "position_lr"}
    for field in fields(recipe):
        if field.name not in changed:
            assert getattr(recipe, field.name) == getattr(imagenet, field.name)


def test_transfer_is_for_pictures() -> None:
    with pytest.raises(UsageError, match="transfer recipe is for image models"):
        finetune_recipe(config_of("hiera_base_16x224"), kind="transfer")


def test_something_something_is_video() -> None:
    for find in (finetune_recipe, pretrain_recipe):
        with pytest.raises(UsageError, match="video models"):
            find(config_of("hiera_base_224"), kind="ssv2")


def test_the_bundled_network_has_rows_of_its_own() -> None:
    config = open_model("camera-motion").model.config
    assert finetune_recipe(config) is FINETUNE[True, "motion"]
    recipe = pretrain_recipe(config)
    assert recipe is PRETRAIN[True, "motion"]
    assert (recipe.mask_ratio, recipe.decoder_width, recipe.batch_size) == (0.75, 128, 64)


def test_other_shapes_get_the_base_row() -> None:
    config = HieraConfig.from_dict(CONFIG)
    assert finetune_recipe(config) is FINETUNE[True, "base"]
    assert pretrain_recipe(config) is PRETRAIN[True, "base"]


def test_learning_rate_scales_with_the_batch_and_warm_up_shrinks_with_the_run() -> None:
    recipe = FINETUNE[True, "base"].changed(FinetuneChanges(batch_size=32, epochs=20))
    assert recipe.lr == pytest.approx(1e-4)
    assert recipe.warmup_epochs == 2


def test_what_is_given_is_taken() -> None:
    changes = PretrainChanges(batch_size=8, lr=0.5, warmup_epochs=1, flip=False, mask_ratio=0.5)
    recipe = PRETRAIN[True, "base"].changed(changes)
    assert (recipe.lr, recipe.warmup_epochs, recipe.flip, recipe.mask_ratio) == (0.5, 1, False, 0.5)


@pytest.mark.parametrize(
    "changes",
    [
        FinetuneChanges(batch_size=7),
        FinetuneChanges(epochs=0),
        FinetuneChanges(min_area=1.5),
        FinetuneChanges(drop_path=1.0),
        FinetuneChanges(mixup=-1.0),
        FinetuneChanges(layer_decay=0.0),
        PretrainChanges(mask_ratio=1.0),
    ],
)
def test_impossible_numbers_are_refused(changes: FinetuneChanges | PretrainChanges) -> None:
    recipe = FINETUNE if isinstance(changes, FinetuneChanges) else PRETRAIN
    with pytest.raises(UsageError):
        recipe[True, "base"].changed(changes)
