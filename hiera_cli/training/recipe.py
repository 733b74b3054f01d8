"""What a training recipe is: numbers that pretraining and fine-tuning share, and their own."""

from dataclasses import asdict, dataclass, replace
from typing import Literal, Self

from hiera_cli.errors import UsageError
from hiera_cli.options import check_choices

OptimizerName = Literal["adamw", "sgd"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Numbers that pretraining and fine-tuning share.

    Attributes:
        epochs: effective epochs: one is as many clips as there are videos.
        warmup_epochs: epochs of linear warm-up from 0.
        batch_size: clips in one optimizer step, over all processes and accumulated parts.
        repeats: clips taken from a video each time it is decoded (repeated sampling).
        lr: highest learning rate, at `batch_size`.
        min_lr: learning rate at the end of the cosine.
        optimizer: `adamw`, or `sgd` with Nesterov momentum.
        betas: AdamW's decay of its two moments; SGD's momentum is the first.
        weight_decay: decoupled decay of matrices; biases, norms and embeddings have none.
        clip_norm: largest norm of the gradient; 0: no clipping.
        drop_path: stochastic depth of the last block.
        min_area: smallest share of the frame that a training crop covers.
        flip: whether clips may be mirrored.
        layer_decay: factor on the learning rate from one block to the block below.
        position_lr: factor on the learning rate of position embeddings; None: that of the layer.
        ema_decay: decay of the averaged weights that are validated and kept; 0: off.
        patience: validations without a better one before the run ends; 0: it never ends early.
    """

    epochs: float
    warmup_epochs: float
    batch_size: int
    repeats: int = 1
    lr: float
    min_lr: float = 1e-6
    optimizer: OptimizerName = "adamw"
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 0.05
    clip_norm: float = 0.0
    drop_path: float = 0.0
    min_area: float = 0.5
    flip: bool = True
    layer_decay: float = 1.0
    position_lr: float | None = None
    ema_decay: float = 0.0
    patience: int = 0

    def changed(self, changes: "RecipeChanges") -> Self:
        """The recipe with all changes that are not None.

        A changed batch size scales the learning rate linearly unless that is given too, and a
        shorter run shortens the warm-up to a tenth of it at most.

        Raises:
            UsageError: a value out of range.
        """
        given = {name: value for name, value in asdict(changes).items() if value is not None}
        scale = given.get("batch_size", self.batch_size) / self.batch_size
        epochs = given.get("epochs", self.epochs)
        derived = {"lr": self.lr * scale, "warmup_epochs": min(self.warmup_epochs, epochs / 10)}
        return replace(self, **{**derived, **given})


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipeChanges:
    """What a user wants different from a recipe; None: as the recipe has it."""

    epochs: float | None = None
    warmup_epochs: float | None = None
    batch_size: int | None = None
    repeats: int | None = None
    lr: float | None = None
    min_lr: float | None = None
    optimizer: OptimizerName | None = None
    weight_decay: float | None = None
    clip_norm: float | None = None
    drop_path: float | None = None
    min_area: float | None = None
    flip: bool | None = None

    def __post_init__(self) -> None:
        """Refuse what is no choice; numbers are checked in the recipe that they change.

        Raises:
            UsageError: a value that is no choice.
        """
        check_choices(self)


def check_recipe(recipe: Recipe) -> None:
    """Refuse shared numbers that cannot train anything.

    Raises:
        UsageError: a number out of range.
    """
    if recipe.epochs <= 0 or recipe.batch_size < 1 or recipe.repeats < 1:
        raise UsageError("epochs, batch size and repeats must be positive")
    if recipe.batch_size % recipe.repeats:
        raise UsageError(
            f"a batch of {recipe.batch_size} clips cannot hold whole groups of {recipe.repeats}",
            hint="choose a --batch-size that --repeats divides",
        )
    _check("learning rate", recipe.lr, 0.0, 1000.0)
    _check("smallest learning rate", recipe.min_lr, 0.0, 1000.0)
    _check("weight decay", recipe.weight_decay, 0.0, 1000.0)
    _check("gradient norm", recipe.clip_norm, 0.0, 1e9)
    _check("drop path", recipe.drop_path, 0.0, 0.99)
    _check("smallest crop area", recipe.min_area, 0.001, 1.0)
    _check("layer decay", recipe.layer_decay, 0.01, 1.0)
    _check("position embeddings' factor", recipe.position_lr or 0.0, 0.0, 1.0)
    _check("EMA decay", recipe.ema_decay, 0.0, 0.999999)
    _check("patience", recipe.patience, 0, 1_000_000)


def _check(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise UsageError(f"the {name} must be between {low:g} and {high:g}, not {value}")


@dataclass(frozen=True, slots=True, kw_only=True)
class PretrainRecipe(Recipe):
    """Masked-autoencoder pretraining.

    Attributes:
        mask_ratio: share of mask units that the encoder never sees.
        tubes: hide the same places in all frames of a clip, so that none can be copied from
            another time.
        decoder_width, decoder_depth, decoder_heads: the decoder's shape.
    """

    mask_ratio: float = 0.9
    tubes: bool = False
    decoder_width: int = 512
    decoder_depth: int = 8
    decoder_heads: int = 8

    def __post_init__(self) -> None:
        """Refuse numbers that cannot train anything."""
        check_recipe(self)
        _check("mask ratio", self.mask_ratio, 0.0, 0.999)


@dataclass(frozen=True, slots=True, kw_only=True)
class PretrainChanges(RecipeChanges):
    """What a user wants different when pretraining."""

    mask_ratio: float | None = None
    tubes: bool | None = None
    decoder_width: int | None = None
    decoder_depth: int | None = None
    decoder_heads: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FinetuneRecipe(Recipe):
    """Supervised training of a classifier.

    Attributes:
        head_dropout: dropout before the head.
        label_smoothing: share of the target spread evenly over all classes.
        mixup, cutmix: parameter of the Beta distribution that mixes pairs; 0: off.
        magnitude: RandAugment's strength (0 to 10); 0: off.
        erase: probability of random erasing.
    """

    head_dropout: float = 0.0
    label_smoothing: float = 0.1
    mixup: float = 0.8
    cutmix: float = 1.0
    magnitude: float = 7.0
    erase: float = 0.0

    def __post_init__(self) -> None:
        """Refuse numbers that cannot train anything."""
        check_recipe(self)
        _check("head dropout", self.head_dropout, 0.0, 0.999)
        _check("label smoothing", self.label_smoothing, 0.0, 1.0)
        _check("mixup", self.mixup, 0.0, 100.0)
        _check("cutmix", self.cutmix, 0.0, 100.0)
        _check("RandAugment's magnitude", self.magnitude, 0.0, 10.0)
        _check("erasing probability", self.erase, 0.0, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class FinetuneChanges(RecipeChanges):
    """What a user wants different when fine-tuning."""

    head_dropout: float | None = None
    layer_decay: float | None = None
    position_lr: float | None = None
    label_smoothing: float | None = None
    mixup: float | None = None
    cutmix: float | None = None
    magnitude: float | None = None
    erase: float | None = None
    ema_decay: float | None = None
    patience: int | None = None
