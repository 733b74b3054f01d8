"""The optimizer: parameter groups with layer-wise decay, and the learning rate as a function."""

import math
from collections import defaultdict
from collections.abc import Callable

import torch
from torch import nn

from hiera_cli.training.recipe import Recipe

ENCODER = "pyramid.encoder."  # of a detector
_EMBEDDINGS = ("patch_embed.", "pos_embed", "mask_token")


def lr_at(step: int, *, num_steps: int, warmup_steps: int, lr: float, min_lr: float) -> float:
    """Learning rate of a step: linear warm-up from 0, then half a cosine down to `min_lr`."""
    if step < warmup_steps:
        return lr * (step + 1) / warmup_steps
    progress = (step - warmup_steps) / max(1, num_steps - warmup_steps)
    return min_lr + (lr - min_lr) * 0.5 * (1.0 + math.cos(math.pi * min(progress, 1.0)))


Schedule = Callable[[Recipe, int, int, int], float]
"""Learning rate of a recipe at a step, of the number of steps and the steps of an epoch."""


def cosine(recipe: Recipe, step: int, num_steps: int, steps_per_epoch: int) -> float:
    """As `lr_at`, with the recipe's numbers."""
    return lr_at(
        step,
        num_steps=num_steps,
        warmup_steps=round(recipe.warmup_epochs * steps_per_epoch),
        lr=recipe.lr,
        min_lr=min(recipe.min_lr, recipe.lr),
    )


def stepped(warmup_steps: int) -> Schedule:
    """ViTDet's schedule: linear warm-up from a thousandth, a tenth after 8/9, again after 26/27."""

    def schedule(recipe: Recipe, step: int, num_steps: int, _steps_per_epoch: int) -> float:
        warmup = min(warmup_steps, num_steps // 10)
        if step < warmup:
            return recipe.lr * (0.001 + 0.999 * step / warmup)
        return recipe.lr * 0.1 ** sum(step >= share * num_steps for share in (8 / 9, 26 / 27))

    return schedule


def layer_of(name: str, *, num_blocks: int) -> int:
    """Depth of a parameter: 0 the embeddings, 1 to num_blocks the blocks, one more the rest."""
    name = name.removeprefix(ENCODER)
    if name.startswith(_EMBEDDINGS):
        return 0
    if name.startswith("blocks."):
        return int(name.split(".")[1]) + 1
    return num_blocks + 1


def decays(name: str, parameter: nn.Parameter) -> bool:
    """Whether weight decay applies: matrices, but neither biases, norms nor embeddings."""
    return parameter.ndim > 1 and "pos_embed" not in name and "mask_token" not in name


def parameter_groups(
    model: nn.Module,
    *,
    num_blocks: int,
    layer_decay: float,
    weight_decay: float,
    position_lr: float | None = None,
) -> list[dict[str, object]]:
    """Trained parameters by learning-rate scale and weight decay, for a torch optimizer.

    Layer l of L learns with `layer_decay ** (L - l)` times the learning rate (BEiT, section 3.2
    of its appendix); each group carries that factor as `lr_scale`. Position embeddings have
    `position_lr` instead, where it is given.
    """
    groups: dict[tuple[float, float], list[nn.Parameter]] = defaultdict(list)
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            depth = layer_of(name, num_blocks=num_blocks)
            scale = layer_decay ** (num_blocks + 1 - depth)
            if position_lr is not None and "pos_embed" in name:
                scale = position_lr
            decay = weight_decay if decays(name, parameter) else 0.0
            groups[scale, decay].append(parameter)
    return [
        {"params": params, "lr_scale": scale, "weight_decay": decay}
        for (scale, decay), params in groups.items()
    ]


def make_optimizer(model: nn.Module, recipe: Recipe, *, num_blocks: int) -> torch.optim.Optimizer:
    """AdamW or SGD, as the recipe says, over the parameters that train.

    Fused, it reads and writes every parameter once a step: on the CPU a seventh of the time.
    """
    groups = parameter_groups(
        model,
        num_blocks=num_blocks,
        layer_decay=recipe.layer_decay,
        weight_decay=recipe.weight_decay,
        position_lr=recipe.position_lr,
    )
    if recipe.optimizer == "sgd":
        momentum = recipe.betas[0]
        return torch.optim.SGD(groups, lr=recipe.lr, momentum=momentum, nesterov=True, fused=True)
    return torch.optim.AdamW(groups, lr=recipe.lr, betas=recipe.betas, fused=True)


def set_lr(optimizer: torch.optim.Optimizer, lr: float) -> None:
    """Give every group its share of the learning rate."""
    for group in optimizer.param_groups:
        group["lr"] = lr * group["lr_scale"]
