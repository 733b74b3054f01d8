import pytest

from hiera_cli.checkpoints.open import open_model
from hiera_cli.checkpoints.zoo import find_model
from hiera_cli.errors import UsageError
from hiera_cli.model.config import HieraConfig
from hiera_cli.training.recipe import FinetuneChanges, PretrainChanges
from hiera_cli.training.recipes import FINETUNE, PRETRAIN, finetune_recipe, pretrain_recipe
from tests.training.media import CONFIG


def config_of(name: str) -> HieraConfig:
    model = find_model(name)
    assert model is not None
    return model.config


@pytest.mark.parametrize(
    ("name", "epochs", "lr", "drop_path", "head_dropout", "layer_decay"),
    [
        ("hiera_base_16x224", 150, 8e-4, 0.2, 0.3, 0.85),
        ("hiera_base_plus_16x224", 150, 8e-4, 0.2, 0.3, 0.85),
        ("hiera_large_16x224", 100, 8e-4, 0.2, 0.5, 0.9),
        ("hiera_huge_16x224", 100, 4e-4, 0.3, 0.5, 0.9),
        ("hiera_tiny_224", 300, 2e-3, 0.1, 0.0, 0.65),
        ("hiera_base_224", 100, 2e-3, 0.1, 0.0, 0.7),
        ("hiera_huge_224", 50, 1e-3, 0.3, 0.0, 0.85),
    ],
)
def test_finetuning_follows_the_paper(
    name: str, epochs: float, lr: float, drop_path: float, head_dropout: float, layer_decay: float
) -> None:
    recipe = finetune_recipe(config_of(name))
    assert (recipe.epochs, recipe.lr, recipe.drop_path) == (epochs, lr, drop_path)
    assert (recipe.head_dropout, recipe.layer_decay) == (head_dropout, layer_decay)
    assert (recipe.mixup, recipe.cutmix, recipe.label_smoothing) == (0.8, 1.0, 0.1)
    assert recipe.betas == (0.9, 0.999)


@pytest.mark.parametrize(
    ("name", "drop_path", "mask_ratio", "repeats", "batch_size"),
    [
        ("hiera_base_16x224", 0.1, 0.9, 4, 512),
        ("hiera_large_16x224", 0.2, 0.9, 4, 512),
        ("hiera_huge_16x224", 0.3, 0.9, 4, 512),
        ("hiera_base_224", 0.0, 0.6, 1, 4096),
    ],
)
def test_pretraining_follows_the_paper(
    name: str, drop_path: float, mask_ratio: float, repeats: int, batch_size: int
) -> None:
    recipe = pretrain_recipe(config_of(name))
    assert (recipe.drop_path, recipe.mask_ratio) == (drop_path, mask_ratio)
    assert (recipe.repeats, recipe.batch_size) == (repeats, batch_size)
    assert recipe.betas == (0.9, 0.95)
    assert recipe.lr == 8e-4


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
