"""What the shapes in a state dict say: which network they belong to, and whether they fit one."""

import itertools
import math
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from hiera_cli.checkpoints.zoo import ZOO, ZooModel
from hiera_cli.errors import WeightsError
from hiera_cli.model.config import HieraConfig

Shapes = Mapping[str, tuple[int, ...]]

_DECODER = ("decoder_", "mask_token", "encoder_norm.", "multi_scale_fusion_heads.")
_AFTER_ENCODER = ("norm.", "head.")


def recognise(shapes: Shapes) -> ZooModel | None:
    """The official architecture that has these widths and stages; None when none has."""
    patch = shapes.get("patch_embed.proj.weight", ())
    for model in ZOO:
        config = model.config
        expected = (config.embed_dim, config.in_chans, *config.patch_kernel)
        if patch == expected and _stages(shapes) == config.stages:
            return model
    return None


def infer_config(model: ZooModel, shapes: Shapes) -> HieraConfig:
    """The configuration of `model` with the classes and input size that the weights have.

    Heads are no shape and cannot be inferred; that is why it takes a known architecture.
    """
    config = with_classes(model.config, shapes)
    space = shapes.get("pos_embed_spatial", shapes.get("pos_embed", (1, 0, 0)))[1]
    side = math.isqrt(space) * config.patch_stride[-1]
    size: tuple[int, ...] = (side, side)
    if config.is_video:
        frames = shapes.get("pos_embed_temporal", (1, 0, 0))[1] * config.patch_stride[0]
        size = (frames, side, side)
    starts = (name for name in shapes if re.fullmatch(r"blocks\.\d+\.proj\.weight", name))
    config = replace(config, expand_proj=next(starts, None) is not None)
    return replace(config, input_size=size) if all(size) else config


def with_classes(config: HieraConfig, shapes: Shapes) -> HieraConfig:
    """The configuration with as many classes as the head has rows."""
    votes, head = shapes.get("head.votes"), shapes.get("head.projection.weight")
    if votes and config.bank_size:
        return replace(config, num_classes=votes[-1])
    return replace(config, num_classes=head[0]) if head else config


def check_fit(found: Shapes, expected: Shapes, *, path: Path, name: str, need_head: bool) -> None:
    """Refuse weights that are not exactly those of the network.

    Without `need_head`, whatever lies above the encoder may be absent or a decoder.

    Raises:
        WeightsError: weights missing, left over, or of another shape.
    """
    found = {k: shape for k, shape in found.items() if not k.startswith(_DECODER)}
    missing = [k for k in expected if k not in found]
    if not need_head:
        missing = [k for k in missing if not k.startswith(_AFTER_ENCODER)]
    extra = [k for k in found if k not in expected]
    other = [k for k in expected if k in found and found[k] != expected[k]]
    if len(missing) == len(expected):
        raise WeightsError(
            f"{path} holds no Hiera weights in the official layout ({_some(extra)})",
            hint="transformers' hiera-*-hf ports use other names; take the official checkpoint",
        )
    problems = []
    if other:
        first = other[0]
        shapes = f"{first} is {list(found[first])}, not {list(expected[first])}"
        problems.append(f"{len(other)} of another shape ({shapes}{_more(other)})")
    if missing:
        problems.append(f"{len(missing)} missing ({_some(missing)})")
    if extra:
        problems.append(f"{len(extra)} unknown ({_some(extra)})")
    if problems:
        text = f"{path} does not fit {name}: of {len(expected)} weights, {', '.join(problems)}"
        raise WeightsError(text, hint=_advice(found, name, path))


def _stages(shapes: Shapes) -> tuple[int, ...]:
    """Blocks in each stage; a stage begins where the width grows."""
    blocks = {name.split(".")[1] for name in shapes if name.startswith("blocks.")}
    depth = sum(f"blocks.{i}.norm1.weight" in shapes for i in range(len(blocks)))
    widths = [[shapes.get(f"blocks.{i}.norm{k}.weight") for k in (1, 2)] for i in range(depth)]
    starts = [i for i, (before, after) in enumerate(widths) if before != after]
    edges = [0, *starts, depth]
    return tuple(b - a for a, b in itertools.pairwise(edges))


def _advice(found: Shapes, name: str, path: Path) -> str:
    model = recognise(found)
    if model is not None and model.name != name:
        return f"these look like weights of {model.name}: use -m {model.name} --weights {path}"
    return "use the model these weights were made for (-m), or the weights made for this model"


def _some(names: list[str]) -> str:
    """Up to three names, printable."""
    shown = [n if n.isprintable() and len(n) < 100 else ascii(n)[:100] for n in names[:3]]
    return ", ".join(shown) + (", …" if len(names) > 3 else "")


def _more(names: list[str]) -> str:
    return f"; also {_some(names[1:])}" if len(names) > 1 else ""
