"""What changes in a recipe where there are few clips: the papers' are for hundreds of thousands."""

import math
from dataclasses import replace

from hiera_cli.training.recipe import FinetuneRecipe

FEW_VIDEOS = 5000
STEPS_PER_EPOCH = 20
NUM_STEPS = 400
LEAST_BATCH = 8
LEAST_EPOCHS = 10
LAYER_DECAY = 0.75
PATIENCE = 6
# Of a run that begins with a fitted head, which fits the features as they are and is sure of
# itself: large steps, small crops, mirrored clips and smoothed labels would undo it before
# anything is learnt.
GENTLE = 0.25
LEAST_AREA = 0.7


def for_few_clips(
    recipe: FinetuneRecipe, num_videos: int, *, fitted_head: bool = False
) -> FinetuneRecipe:
    """The recipe for pretrained weights and so many videos; unchanged where these are many.

    Small batches, so that an epoch is about twenty steps; as many epochs as give 400 steps, of
    which validation may end the run early; and lower layers, which hold what the weights know
    already, that learn slower.

    Args:
        recipe: of the model's size.
        num_videos: to learn from.
        fitted_head: whether the run begins with a head that was fitted to them.
    """
    if num_videos >= FEW_VIDEOS:
        return recipe
    fitting = 2 ** round(math.log2(max(1, num_videos / STEPS_PER_EPOCH)))
    batch_size = min(recipe.batch_size, max(LEAST_BATCH, fitting))
    epochs = max(LEAST_EPOCHS, math.ceil(NUM_STEPS * batch_size / num_videos))
    epochs = min(recipe.epochs, epochs)
    found = replace(
        recipe,
        batch_size=batch_size,
        epochs=epochs,
        warmup_epochs=min(recipe.warmup_epochs, epochs / 10),
        lr=recipe.lr * batch_size / recipe.batch_size,
        layer_decay=min(recipe.layer_decay, LAYER_DECAY),
        patience=PATIENCE,
    )
    if not fitted_head:
        return found
    return replace(
        found,
        lr=found.lr * GENTLE,
        min_area=max(found.min_area, LEAST_AREA),
        label_smoothing=0.0,
        flip=False,
    )


def reason(recipe: FinetuneRecipe, num_videos: int) -> str:
    """What was chosen for so many videos, and why, in a sentence."""
    steps = math.ceil(num_videos / recipe.batch_size)
    return (
        f"{num_videos} clips are few: batches of {recipe.batch_size} ({steps} steps an epoch), "
        f"{recipe.epochs:g} epochs at most, ending after {recipe.patience} without a better "
        f"validation, warm-up {recipe.warmup_epochs:g} epochs, learning rate {recipe.lr:.2g} "
        f"(scaled with the batch), layer decay {recipe.layer_decay:g}, crops of at least "
        f"{recipe.min_area:.0%}, label smoothing {recipe.label_smoothing:g}, "
        f"{'with' if recipe.flip else 'no'} mirroring"
    )
