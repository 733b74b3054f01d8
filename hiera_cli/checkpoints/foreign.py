"""Hiera weights in the layouts of timm and of SAM 2, under the official names.

timm calls the head's layers `head.norm` and `head.fc` and may scale each residual branch
(`ls1.gamma`), which is folded into the layer before. SAM 2 keeps its Hiera trunk below
`image_encoder.trunk.` and calls a block's two layers `mlp.layers.0` and `.1`. Both may hold
absolute window embeddings (arXiv 2311.05613) in place of one for each position: a small map that
is stretched over the picture and a window that is repeated.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor

from hiera_cli.model.window_positions import GLOBAL, WINDOWS, absolute_positions

Shapes = Mapping[str, tuple[int, ...]]
Read = Callable[[str], Tensor]

_TRUNKS = ("image_encoder.trunk.", "trunk.")
_NAMES = (
    ("head.norm.", "norm."),
    ("head.fc.", "head.projection."),
    (".mlp.layers.0.", ".mlp.fc1."),
    (".mlp.layers.1.", ".mlp.fc2."),
)
_SCALED = {".attn.proj.": ".ls1.gamma", ".mlp.fc2.": ".ls2.gamma"}
_SCALE = re.compile(r"\.ls[12]\.gamma$")
# tokens a side at the smallest picture that the windows of stages 3 and 4 fill
_SIDE_OF_TIMM = 64
_SIDES = {"pos_embed_win": _SIDE_OF_TIMM, "pos_embed_window": 56}
_LARGE_WIDTH, _LARGE_SIDE = 144, 64  # SAM 2's large trunk has windows of 16


@dataclass(frozen=True, eq=False, slots=True)
class Official:
    """Weights under their official names.

    Attributes:
        shapes: of all tensors.
        read: one tensor by its name.
        parts: names in the file of the stretched map and the repeated window, if these are its
            position embedding; read, they serve any size.
    """

    shapes: Shapes
    read: Read
    parts: tuple[str, str] | None = None


def under_official_names(shapes: Shapes, read: Read) -> Official:
    """The weights as official ones; weights of neither layout are passed on.

    Args:
        shapes: of the tensors in a file, by name.
        read: one of them.
    """
    raw = _without_trunk(shapes)
    named = {_official(name): name for name in raw}
    window = next((name for name in WINDOWS if name in named), None)
    if window is None and list(named) == list(shapes):
        return Official(shapes, read)
    scales = {name: raw[inner] for name, inner in named.items() if _SCALE.search(name)}
    kept = {n: inner for n, inner in named.items() if n not in scales and n != window}
    sizes = {name: shapes[raw[inner]] for name, inner in kept.items()}
    parts = None
    if window is not None and len(sizes.get("pos_embed", ())) == 4:
        parts = (raw[named["pos_embed"]], raw[named[window]])
        sizes["pos_embed"] = (1, _side(window, sizes["pos_embed"]) ** 2, sizes["pos_embed"][1])

    def tensor(name: str) -> Tensor:
        if name == GLOBAL and parts is not None:
            return read(parts[0])
        if name == window and parts is not None:
            return read(parts[1])
        if name == "pos_embed" and parts is not None and window is not None:
            side = _side(window, shapes[parts[0]])
            small, repeated = (read(part) for part in parts)
            return absolute_positions(small, repeated, (side, side), name=window)
        return _scaled(read(raw[kept[name]]), name, scales, read)

    return Official(sizes, tensor, None if parts is None or window is None else (GLOBAL, window))


def _without_trunk(shapes: Shapes) -> dict[str, str]:
    """Name below SAM 2's trunk to name in the file; all names where there is no trunk."""
    for trunk in _TRUNKS:
        below = {n.removeprefix(trunk): n for n in shapes if n.startswith(trunk)}
        if f"{trunk}patch_embed.proj.weight" in shapes:
            return below
    return {name: name for name in shapes}


def _official(name: str) -> str:
    for foreign, ours in _NAMES:
        name = name.replace(foreign, ours)
    return name


def _side(window: str, small: tuple[int, ...]) -> int:
    """Tokens a side of the size that the windows are made for."""
    wide = window == "pos_embed_window" and small[1] == _LARGE_WIDTH
    return _LARGE_SIDE if wide else _SIDES[window]


def _scaled(tensor: Tensor, name: str, scales: Mapping[str, str], read: Read) -> Tensor:
    """A layer times the scale of its branch, if it has one."""
    for layer, scale in _SCALED.items():
        if layer in name and (found := scales.get(name.split(layer)[0] + scale)):
            gamma = read(found)
            return tensor * (gamma if tensor.ndim == 1 else gamma[:, None])
    return tensor
