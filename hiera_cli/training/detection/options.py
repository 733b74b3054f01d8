"""What the training of a detector can be told, and the papers' numbers."""

from dataclasses import asdict, dataclass, fields
from typing import TypeVar

from hiera_cli.errors import UsageError
from hiera_cli.options import check_at_least
from hiera_cli.training.recipe import OptimizerName, Recipe, RecipeChanges, check_recipe

AnyRecipe = TypeVar("AnyRecipe", bound=Recipe)


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
        head_convs: hidden convolutions of the box head.
        anchor_scale: side of the square anchors, in strides of their maps.
        proposals: boxes that the second stage looks at.
        min_scale, max_scale: of training pictures, where 1 just fits the input.
    """

    size: int = 1024
    width: int = 256
    head_convs: int = 4
    anchor_scale: float = 8.0
    proposals: int = 1000
    min_scale: float = 0.1
    max_scale: float = 2.0

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


def changed(recipe: AnyRecipe, changes: RecipeChanges) -> AnyRecipe:
    """The recipe with a user's changes, as `Recipe.changed` makes them.

    Raises:
        UsageError: a number that this recipe does not have, or one out of range.
    """
    given = {name: value for name, value in asdict(changes).items() if value is not None}
    foreign = set(given) - {field.name for field in fields(recipe)}
    if foreign:
        flags = ", ".join(f"--{name.replace('_', '-')}" for name in sorted(foreign))
        raise UsageError(f"{flags} has no meaning for this task")
    return recipe.changed(changes)
