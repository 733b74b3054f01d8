"""A stock of textures for many scenes."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from hiera_cli.synth.textures import draw_carpet, draw_screen, draw_sprite, draw_world

Rng = np.random.Generator
WORLD_SIZE = 512
SPRITE_SIZE = 96
GROUNDS = ("world", "carpet")  # every scene picks one


class Props:
    """A stock of textures, drawn once and used for many scenes; some are replaced now and then.

    Args:
        rng: source of the textures.
        num_worlds: how many worlds, and as many sprites and screens, to keep.
        uses: scenes to stage between replacements of one texture of each kind.
    """

    def __init__(self, rng: Rng, *, num_worlds: int = 8, uses: int = 8) -> None:
        self._rng = rng
        self._num, self._uses, self._staged = num_worlds, uses, 0
        self._stock: dict[str, list[Tensor]] = {
            "world": [],
            "carpet": [],
            "sprite": [],
            "screen": [],
        }

    def pick(self, kind: str, rng: Rng) -> Tensor:
        """A texture (1, 3 or 4, S, S) of the kind, mirrored or turned at random."""
        stock = self._stock[kind]
        is_ground = kind in GROUNDS
        self._staged += is_ground
        if len(stock) < self._num or (is_ground and self._staged % self._uses == 0):
            stock.append(self._draw(kind))
        if len(stock) > self._num:
            stock.pop(0)
        texture = stock[rng.integers(len(stock))]
        if rng.random() < 0.5:
            texture = texture.flip(-1)
        return texture.transpose(-1, -2) if rng.random() < 0.25 else texture

    def _draw(self, kind: str) -> Tensor:
        painters: dict[str, tuple[Callable[[Rng, int], npt.NDArray[np.float32]], int]] = {
            "world": (draw_world, WORLD_SIZE),
            "carpet": (draw_carpet, WORLD_SIZE),
            "sprite": (draw_sprite, SPRITE_SIZE),
            "screen": (draw_screen, WORLD_SIZE),
        }
        paint, size = painters[kind]
        return torch.from_numpy(paint(self._rng, size)).permute(2, 0, 1)[None].contiguous()
