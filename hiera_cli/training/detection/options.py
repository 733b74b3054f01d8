"""What the training of a detector can be told, and the papers' numbers."""

from collections.abc import Collection
from dataclasses import MISSING, asdict, dataclass, fields, replace
from typing import Any, TypeVar

from hiera_cli.errors import UsageError
from hiera_cli.options import check_at_least
from hiera_cli.training.recipe import OptimizerName, Recipe, RecipeChanges, check_recipe

AnyRecipe = TypeVar("AnyRecipe", bound=Recipe)
AnyShape = TypeVar("AnyShape", "BoxOptions", "ActionOptions")

_FLAGS = {"symmetries": "--symmetry", "compile_model": "--compile", "data": "DATASET"}


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxRecipe(Recipe):
    """Object detection: by default ViTDet's recipe with the Hiera paper's numbers (table 15).

    Attributes:
        warmup_steps: of linear warm-up; a tenth of the run at most.
    """

    epochs: float = 100
    warmup_epochs: float = 0
    batch_size: int = 64
    lr: float = 3.5e-5
    weight_decay: float = 0.1
    drop_path: float = 0.2
    warmup_steps: int = 250

    def __post_init__(self) -> None:
        """Refuse numbers that cannot train anything."""
        check_recipe(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionRecipe(Recipe):
    """Action detection on AVA: the Hiera paper's table 13, SlowFast's numbers where it is silent.

    Attributes:
        head_dropout: dropout before the head.
    """

    epochs: float = 30
    warmup_epochs: float = 5
    batch_size: int = 128
    lr: float = 3.6
    min_lr: float = 0.0
    optimizer: OptimizerName = "sgd"
    weight_decay: float = 1e-8
    drop_path: float = 0.4
    layer_decay: float = 0.875
    head_dropout: float = 0.5

    def __post_init__(self) -> None:
        """Refuse numbers that cannot train anything.

        Raises:
            UsageError: a number out of range.
        """
        check_recipe(self)
        if not 0 <= self.head_dropout < 1:
            raise UsageError(f"--head-dropout must be in 0..1, not {self.head_dropout}")


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxOptions:
    """The shape of an object detector and the jitter of its pictures; defaults are the paper's.

    Attributes:
        size: side of the square input in pixels.
        width: channels of the pyramid and the heads.
        head_convs: hidden convolutions of the box head, and of the mask head.
        anchor_scale: side of the square anchors, in strides of their maps.
        proposals: boxes that the second stage looks at.
        min_scale, max_scale: of training pictures, where 1 just fits the input.
        masks: whether it learns masks, too.
    """

    size: int = 1024
    width: int = 256
    head_convs: int = 4
    anchor_scale: float = 8.0
    proposals: int = 1000
    min_scale: float = 0.1
    max_scale: float = 2.0
    masks: bool = False

    def __post_init__(self) -> None:
        """Refuse values that cannot mean anything.

        Raises:
            UsageError: a value out of range.
        """
        check_at_least(32, size=self.size)
        check_at_least(8, width=self.width)
        check_at_least(0, head_convs=self.head_convs)
        check_at_least(0.5, anchor_scale=self.anchor_scale)
        check_at_least(1, proposals=self.proposals)
        check_at_least(0.01, min_scale=self.min_scale)
        check_at_least(self.min_scale, max_scale=self.max_scale)


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionOptions:
    """What an action detector looks at; the defaults are SlowFast's for AVA.

    Attributes:
        size: side of the training crop in pixels; None: the model's own.
        stride: pixels between two positions of the last map, in which boxes are looked up; None:
            the model's own (32 for the official ones). Fewer poolings, the same weights.
        min_scale, max_scale: of the short side of training frames, where 1 is the crop.
        min_visible: share of a box that the crop must show; with 0 boxes outside are learnt from,
            too, as lines at the crop's border.
    """

    size: int | None = None
    stride: int | None = None
    min_scale: float = 256 / 224
    max_scale: float = 320 / 224
    min_visible: float = 0.0

    def __post_init__(self) -> None:
        """Refuse values that cannot mean anything.

        Raises:
            UsageError: a value out of range.
        """
        check_at_least(16, size=self.size)
        check_at_least(1, stride=self.stride)
        check_at_least(0.1, min_scale=self.min_scale)
        check_at_least(self.min_scale, max_scale=self.max_scale)
        check_at_least(0, min_visible=self.min_visible)
        if self.min_visible > 1:
            raise UsageError(f"--min-visible must be in 0..1, not {self.min_visible}")


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectorChanges:
    """What a user wants different from a task's `BoxOptions` or `ActionOptions`; None: nothing."""

    size: int | None = None
    width: int | None = None
    head_convs: int | None = None
    anchor_scale: float | None = None
    proposals: int | None = None
    stride: int | None = None
    min_scale: float | None = None
    max_scale: float | None = None
    min_visible: float | None = None


def shaped(options: AnyShape, changes: DetectorChanges) -> AnyShape:
    """The task's options with a user's changes.

    Raises:
        UsageError: a change that this task does not have, or one out of range.
    """
    given = {name: value for name, value in asdict(changes).items() if value is not None}
    _refuse(set(given) - {f.name for f in fields(options)})
    return replace(options, **given)


def changed(
    recipe: AnyRecipe, changes: RecipeChanges, *, unused: Collection[str] = ()
) -> AnyRecipe:
    """The recipe with a user's changes, as `Recipe.changed` makes them.

    Raises:
        UsageError: a number that this recipe does not have or use, or one out of range.
    """
    given = {name: value for name, value in asdict(changes).items() if value is not None}
    _refuse((set(given) - {f.name for f in fields(recipe)}) | (set(given) & set(unused)))
    return recipe.changed(changes)


def refuse_others(options: Any, *, used: Collection[str]) -> None:
    """Refuse options that a task would not look at.

    Args:
        options: a dataclass.
        used: its fields that mean something.

    Raises:
        UsageError: another one is not as by default.
    """
    others = (f for f in fields(options) if f.name not in used and f.default is not MISSING)
    _refuse({f.name for f in others if getattr(options, f.name) != f.default})


def _refuse(names: Collection[str]) -> None:
    if names:
        flags = ", ".join(_FLAGS.get(n, f"--{n.replace('_', '-')}") for n in sorted(names))
        raise UsageError(f"{flags} has no meaning for this task")
