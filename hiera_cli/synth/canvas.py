"""A transparent canvas with soft-edged shapes, measured in short sides of the later picture."""

import numpy as np
import numpy.typing as npt

from hiera_cli.synth.textures import Image, Rng, soft_step

Colour = tuple[float, float, float]
Field = npt.NDArray[np.float64]


class Canvas:
    """A picture under construction; the origin is its center, y points down.

    Args:
        width, height: in short sides.
        resolution: pixels in a short side.
    """

    def __init__(self, width: float, height: float, *, resolution: int = 320) -> None:
        self.width, self.height, self.resolution = width, height, resolution
        rows, columns = round(height * resolution), round(width * resolution)
        self.pixels: Image = np.zeros((rows, columns, 4), dtype=np.float32)
        self._x = (np.arange(columns) + 0.5 - columns / 2) / resolution
        self._y = (np.arange(rows) + 0.5 - rows / 2) / resolution

    def wash(self, top: Colour, bottom: Colour, *, start: float, end: float) -> None:
        """Fill everything, from one colour at height `start` to another at `end`."""
        part = np.clip((self._y - start) / (end - start), 0, 1)[:, None]
        self.pixels[..., :3] = ((1 - part) * np.array(top) + part * np.array(bottom))[:, None]
        self.pixels[..., 3] = 1

    def below(self, skyline: Field, colour: Colour, *, foot: Colour | None = None) -> None:
        """Fill what lies below a skyline (one height for each column), shaded towards its foot."""
        depth = self._y[:, None] - skyline[None, :]
        cover = soft_step(depth, 1 / self.resolution)
        fade = np.clip(depth, 0, 1)[..., None]
        paint = np.array(colour) * (1 - fade) + np.array(foot or colour) * fade
        self._cover(slice(None), slice(None), cover, paint)

    def ellipse(
        self, x: float, y: float, rx: float, ry: float, colour: Colour, *, soft: float = 0
    ) -> None:
        """An ellipse; `soft` is the width of its glow in radii."""
        window = self._window(x, y, rx * (1 + soft), ry * (1 + soft))
        across, down = self._offsets(window, x, y)
        distance = 1 - np.hypot(across / rx, down / ry)
        edge = max(soft, 1.5 / (min(rx, ry) * self.resolution))
        self._cover(*window, soft_step(distance, edge), np.array(colour))

    def box(self, left: float, top: float, right: float, bottom: float, colour: Colour) -> None:
        """An upright rectangle."""
        x, y, rx, ry = (
            (left + right) / 2,
            (top + bottom) / 2,
            (right - left) / 2,
            (bottom - top) / 2,
        )
        window = self._window(x, y, rx, ry)
        across, down = self._offsets(window, x, y)
        inside = np.minimum(rx - np.abs(across), ry - np.abs(down))
        self._cover(*window, soft_step(inside, 1 / self.resolution), np.array(colour))

    def triangle(self, x: float, top: float, bottom: float, width: float, colour: Colour) -> None:
        """An upright triangle with its tip at (x, top)."""
        middle, half = (top + bottom) / 2, abs(bottom - top) / 2
        window = self._window(x, middle, width / 2, half)
        across, down = self._offsets(window, x, middle)
        part = (down * np.sign(bottom - top) + half) / (2 * half)
        inside = np.minimum(part * width / 2 - np.abs(across), half - np.abs(down))
        self._cover(*window, soft_step(inside, 1 / self.resolution), np.array(colour))

    def grain(self, texture: Image, *, strength: float) -> None:
        """Multiply the colours by a texture (S, S) in 0..1, repeated over the canvas."""
        rows, columns = self.pixels.shape[:2]
        tiles = np.pad(
            texture,
            ((0, max(0, rows - len(texture))), (0, max(0, columns - len(texture)))),
            mode="reflect",
        )
        factor = 1 + strength * (tiles[:rows, :columns, None] - 0.5)
        self.pixels[..., :3] = np.clip(self.pixels[..., :3] * factor, 0, 1)

    def skyline(
        self, rng: Rng, *, level: float, swing: float, roughness: float, waves: float = 1.0
    ) -> Field:
        """A random ridge around `level`: one height for each column."""
        ridge = np.zeros_like(self._x)
        for octave in range(8):
            rate = waves * 2**octave
            ridge += roughness**octave * np.sin(
                self._x * rate * rng.uniform(1.5, 2.5) + rng.uniform(0, 7)
            )
        return np.asarray(level + swing * ridge / 2)

    def columns_at(self, x: float) -> int:
        """The column at a horizontal position, clipped to the canvas."""
        return int(np.clip((x + self.width / 2) * self.resolution, 0, len(self._x) - 1))

    def _window(self, x: float, y: float, rx: float, ry: float) -> tuple[slice, slice]:
        spans = []
        for center, reach, axis in ((y, ry, self._y), (x, rx, self._x)):
            margin = 2 / self.resolution
            first, last = np.searchsorted(axis, (center - reach - margin, center + reach + margin))
            spans.append(slice(int(first), int(last)))
        return spans[0], spans[1]

    def _offsets(self, window: tuple[slice, slice], x: float, y: float) -> tuple[Field, Field]:
        return (self._x[window[1]] - x)[None, :], (self._y[window[0]] - y)[:, None]

    def _cover(self, rows: slice, columns: slice, cover: Image, paint: Field) -> None:
        """Lay paint over part of the canvas."""
        part = self.pixels[rows, columns]
        part[..., :3] += cover[..., None] * (paint - part[..., :3]) if part.size else 0
        part[..., 3] = np.maximum(part[..., 3], cover)
