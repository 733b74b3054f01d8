"""Training recipes, one row a model size; every default of training lives here.

All are the paper's but those for camera-motion.

Source: Ryali et al. 2023, appendix (Kinetics-400, Something-Something-v2 and ImageNet-1K
settings; tables 11, 12 and 14). Learning rates belong to the batch size of their row and
scale with it.
"""

from dataclasses import replace
from typing import Literal

from hiera_cli.errors import UsageError
from hiera_cli.model.config import HieraConfig
from hiera_cli.training.options import FinetuneRecipeName, RecipeName
from hiera_cli.training.recipe import FinetuneRecipe, PretrainRecipe

Size = Literal["tiny", "small", "base", "base_plus", "large", "huge", "motion"]

_WIDTH_AND_BLOCKS: dict[tuple[int, tuple[int, ...]], Size] = {
    (96, (1, 2, 7, 2)): "tiny",
    (96, (1, 2, 11, 2)): "small",
    (96, (2, 3, 16, 3)): "base",
    (112, (2, 3, 16, 3)): "base_plus",
    (144, (2, 6, 36, 4)): "large",
    (256, (2, 6, 36, 4)): "huge",
    (64, (1, 2, 2, 1)): "motion",
}

_VIDEO_PRETRAIN = PretrainRecipe(
    epochs=800,
    warmup_epochs=120,
    batch_size=512,
    repeats=4,
    lr=8e-4,
    betas=(0.9, 0.95),
    clip_norm=0.02,
    drop_path=0.1,
    min_area=0.5,
)
_IMAGE_PRETRAIN = replace(
    _VIDEO_PRETRAIN,
    epochs=400,
    warmup_epochs=40,
    batch_size=4096,
    repeats=1,
    clip_norm=0.0,
    min_area=0.2,
    drop_path=0.0,
    mask_ratio=0.6,
    decoder_heads=16,
)
_VIDEO_FINETUNE = FinetuneRecipe(
    epochs=150,
    warmup_epochs=10,
    batch_size=256,
    repeats=2,
    lr=8e-4,
    clip_norm=5.0,
    drop_path=0.2,
    head_dropout=0.3,
    layer_decay=0.85,
    min_area=0.08,
)
_IMAGE_FINETUNE = replace(
    _VIDEO_FINETUNE,
    epochs=100,
    warmup_epochs=5,
    batch_size=1024,
    repeats=1,
    lr=2e-3,
    drop_path=0.1,
    head_dropout=0.0,
    layer_decay=0.7,
    magnitude=9.0,
    erase=0.25,
)

# Something-Something-v2 (paper, tables 6 and 12: Hiera-L). What the tables leave out is as for
# Kinetics. Labels say left and right: nothing is mirrored.
_SSV2_PRETRAIN = replace(
    _VIDEO_PRETRAIN, epochs=1600, warmup_epochs=30, batch_size=1024, drop_path=0.2, flip=False
)
_SSV2_FINETUNE = replace(
    _VIDEO_FINETUNE,
    epochs=40,
    warmup_epochs=3,
    batch_size=256,
    repeats=1,
    lr=0.16,
    optimizer="sgd",
    weight_decay=1e-4,
    drop_path=0.1,
    head_dropout=0.5,
    layer_decay=0.875,
    flip=False,
)
_SSV2_FINETUNE_32 = replace(
    _SSV2_FINETUNE,
    batch_size=128,
    lr=0.08,
    mixup=0.0,
    cutmix=0.0,
    label_smoothing=0.0,
    drop_path=0.2,
)
LONG_CLIP = 32  # frames

# iNaturalist and Places (paper, A.2): ImageNet's rows, but for what the paper searched for on each
# data set: learning rate and epochs (not told), layer decay in 0.875, 0.9, 0.925, drop path in 0.1
# to 0.5, dropout in 0.1, 0.2, 0.3. Here the middle of the searched layer decays and dropouts.
_TRANSFER_LAYER_DECAY = 0.9
_TRANSFER_DROPOUT = 0.2
_LARGE_PICTURE = 448  # pixels, at which position embeddings of Hiera-H learn half as fast as the
_LARGE_PICTURE_POSITION_LR = 0.5  # head instead of by the layer-wise rule

# Our own, for camera-motion: a small network that sees many clips, where what is filmed matters
# little and where blends of two movements are no movement at all. Its clips have 32 mask units
# only (Hiera-B's 392), so fewer of them are hidden.
_MOTION_PRETRAIN = replace(
    _VIDEO_PRETRAIN,
    epochs=8,
    warmup_epochs=0.5,
    batch_size=64,
    repeats=1,
    lr=1e-3,
    mask_ratio=0.75,
    decoder_width=128,
    decoder_depth=2,
    decoder_heads=4,
)
_MOTION_FINETUNE = FinetuneRecipe(
    epochs=60,
    warmup_epochs=1,
    batch_size=32,
    lr=4e-4,
    min_lr=4e-6,
    betas=(0.9, 0.98),
    clip_norm=2.0,
    min_area=0.3,
    label_smoothing=0.05,
    mixup=0.0,
    cutmix=0.0,
    magnitude=0.0,
    ema_decay=0.998,
)

# (is_video, size) -> recipe. A shape of the user's own gets the row of the base model.
PRETRAIN: dict[tuple[bool, Size], PretrainRecipe] = {
    (True, "base"): _VIDEO_PRETRAIN,
    (True, "base_plus"): replace(_VIDEO_PRETRAIN, drop_path=0.2),
    (True, "large"): replace(_VIDEO_PRETRAIN, drop_path=0.2),
    (True, "huge"): replace(_VIDEO_PRETRAIN, drop_path=0.3),
    (True, "motion"): _MOTION_PRETRAIN,
    (False, "tiny"): _IMAGE_PRETRAIN,
    (False, "small"): _IMAGE_PRETRAIN,
    (False, "base"): replace(_IMAGE_PRETRAIN, drop_path=0.2),
    (False, "base_plus"): replace(_IMAGE_PRETRAIN, drop_path=0.2),
    (False, "large"): replace(_IMAGE_PRETRAIN, drop_path=0.2),
    (False, "huge"): replace(_IMAGE_PRETRAIN, drop_path=0.3),
}
FINETUNE: dict[tuple[bool, Size], FinetuneRecipe] = {
    (True, "base"): _VIDEO_FINETUNE,
    (True, "base_plus"): _VIDEO_FINETUNE,
    (True, "large"): replace(_VIDEO_FINETUNE, epochs=100, head_dropout=0.5, layer_decay=0.9),
    (True, "huge"): replace(
        _VIDEO_FINETUNE, epochs=100, lr=4e-4, drop_path=0.3, head_dropout=0.5, layer_decay=0.9
    ),
    (True, "motion"): _MOTION_FINETUNE,
    (False, "tiny"): replace(_IMAGE_FINETUNE, epochs=300, layer_decay=0.65),
    (False, "small"): replace(_IMAGE_FINETUNE, epochs=200, layer_decay=0.65),
    (False, "base"): _IMAGE_FINETUNE,
    (False, "base_plus"): replace(_IMAGE_FINETUNE, lr=1e-3),
    (False, "large"): replace(_IMAGE_FINETUNE, epochs=50, lr=1e-3, layer_decay=0.85),
    (False, "huge"): replace(_IMAGE_FINETUNE, epochs=50, lr=1e-3, layer_decay=0.85, drop_path=0.3),
}


def pretrain_recipe(config: HieraConfig, *, kind: RecipeName = "usual") -> PretrainRecipe:
    """The pretraining recipe of a model's size, or that of the base model.

    Raises:
        UsageError: Something-Something's recipe for an image model.
    """
    if kind == "ssv2":
        _check_video(config)
        return _SSV2_PRETRAIN
    found = PRETRAIN.get((config.is_video, size_of(config)))
    return found or PRETRAIN[config.is_video, "base"]


def finetune_recipe(config: HieraConfig, *, kind: FinetuneRecipeName = "usual") -> FinetuneRecipe:
    """The fine-tuning recipe of a model's size, or that of the base model.

    Something-Something has two rows, both of Hiera-L: for clips of 16 and of 32 frames.

    Raises:
        UsageError: Something-Something's recipe for an image model, or `transfer` for video.
    """
    if kind == "ssv2":
        _check_video(config)
        return _SSV2_FINETUNE_32 if config.input_size[0] >= LONG_CLIP else _SSV2_FINETUNE
    found = FINETUNE.get((config.is_video, size_of(config))) or FINETUNE[config.is_video, "base"]
    return _transferred(found, config) if kind == "transfer" else found


def _transferred(recipe: FinetuneRecipe, config: HieraConfig) -> FinetuneRecipe:
    """ImageNet's recipe for other pictures."""
    if config.is_video:
        raise UsageError("the transfer recipe is for image models", hint="choose one with -m")
    large = size_of(config) == "huge" and config.input_size[-1] >= _LARGE_PICTURE
    return replace(
        recipe,
        layer_decay=_TRANSFER_LAYER_DECAY,
        head_dropout=_TRANSFER_DROPOUT,
        position_lr=_LARGE_PICTURE_POSITION_LR if large else None,
    )


def _check_video(config: HieraConfig) -> None:
    if not config.is_video:
        raise UsageError("the ssv2 recipe is for video models", hint="choose one with -m")


def size_of(config: HieraConfig) -> Size:
    """Which of the paper's sizes a network is; base where it is none."""
    return _WIDTH_AND_BLOCKS.get((config.embed_dim, config.stages), "base")
