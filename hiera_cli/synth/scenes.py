"""Made-up places filmed by a moving camera: layers, things that move on their own, and a look.

A scene is a stack of textured layers on a cylinder around the camera. Rendering turns every
pixel into a direction, and looks the direction up in each layer.
"""

from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from hiera_cli.synth.camera import CameraPath

Frames = npt.NDArray[np.uint8]
Field = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False, slots=True)
class Bend:
    """How something that is not rigid changes its shape: K plane waves that swell and ebb.

    Attributes:
        strength: (N, K) shift of the texture at each instant, in half heights of the texture.
        rate: (K, 2) radians across and down a half height.
        phase: (K,) radians.
        heading: (K, 2) unit vector along which each wave shifts.
    """

    strength: Field
    rate: Field
    phase: Field
    heading: Field

    def shift(self, across: Field, down: Field) -> tuple[Field, Field]:
        """What to add to texture coordinates, (N, H, W) each."""
        shifts = [np.zeros_like(across), np.zeros_like(down)]
        for k in range(len(self.phase)):
            wave = np.sin(self.rate[k, 0] * across + self.rate[k, 1] * down + self.phase[k])
            wave *= self.strength[:, k, None, None]
            shifts[0] += self.heading[k, 0] * wave
            shifts[1] += self.heading[k, 1] * wave
        return shifts[0], shifts[1]


@dataclass(frozen=True, eq=False, slots=True)
class Layer:
    """A texture in the world.

    Attributes:
        texture: (1 or N, 3 or 4, S, S') colours in 0..1 with or without alpha; N for a picture
            that changes from instant to instant.
        extent: short sides of the picture that one texture height covers.
        nearness: 0 for the distance; a layer of nearness n shifts (1 + n) times as fast.
        mirrored: whether the texture is continued by mirroring; else it is transparent outside.
        x, y, turn, growth: (N,) or (1,) position of its center, turn in radians, and size factor.
        bend: how its shape changes, or None.
    """

    texture: Tensor
    extent: float
    nearness: float = 0.0
    mirrored: bool = True
    x: Field = field(default_factory=lambda: np.zeros(1))
    y: Field = field(default_factory=lambda: np.zeros(1))
    turn: Field = field(default_factory=lambda: np.zeros(1))
    growth: Field = field(default_factory=lambda: np.ones(1))
    bend: Bend | None = None


@dataclass(frozen=True, eq=False, slots=True)
class Look:
    """What lens, sensor and editing do to the picture.

    Attributes:
        exposure: (T,) or (1,) brightness factor of each frame.
        noise: standard deviation of the sensor's noise, of 1.
        blur: standard deviation of the lens blur in pixels.
        bar_rows, bar_columns: black bars, as parts of the height at the top and bottom and of
            the width at the left and right.
        badge: (4, H, W) picture laid over every frame, or None.
        haze: how far colours are drawn to gray.
    """

    exposure: Field = field(default_factory=lambda: np.ones(1))
    noise: float = 0.0
    blur: float = 0.0
    bar_rows: float = 0.0
    bar_columns: float = 0.0
    badge: Tensor | None = None
    haze: float = 0.0


@dataclass(frozen=True, eq=False, slots=True)
class Scene:
    """Everything that is in front of the camera, and how it moves.

    Attributes:
        layers: from back to front; the first one must be opaque.
        path: N instants; N is a multiple of the number of frames (shutter samples each).
        lens: focal length in short sides of the picture; small is wide-angled.
        axis_x, axis_y: where the optical axis meets the picture, off its center, in short sides.
        look: lens, sensor and editing.
        shutter_samples: instants averaged for one frame (motion blur).
    """

    layers: tuple[Layer, ...]
    path: CameraPath
    lens: float = 4.0
    axis_x: float = 0.0
    axis_y: float = 0.0
    look: Look = field(default_factory=Look)
    shutter_samples: int = 1


def render(scene: Scene, width: int, height: int, *, rng: np.random.Generator) -> Frames:
    """The frames of a scene, (T, height, width, 3) uint8 RGB; `rng` feeds the sensor's noise."""
    pixels = _develop(_expose(scene, width, height), scene.look, rng)
    return pixels.permute(0, 2, 3, 1).contiguous().numpy()


def ground_detail(scene: Scene, width: int, height: int) -> float:
    """How well the ground shows what the camera does, halfway through: 0 not at all, 1 at most.

    The mean difference between points of the first layer a 16th of the short side apart, across
    or down, whichever is less. Where the ground is covered there is none; haze and darkness
    lessen it.
    """
    scene = freeze(scene, len(scene.path) // 2)
    ground, *covers = (_sample(scene, layer, width, height)[0] for layer in scene.layers)
    shown = torch.ones(height, width)
    for cover in covers:
        shown *= 1 - cover[3]
    step = max(round(min(width, height) / 16), 1)
    across = (ground - ground.roll(step, 2)).abs().mean(0)[:, step:] * shown[:, step:]
    down = (ground - ground.roll(step, 1)).abs().mean(0)[step:] * shown[step:]
    light = (1 - scene.look.haze) * float(scene.look.exposure.min())
    return light * float(torch.minimum(across.mean(), down.mean()))


def coverage(scene: Scene, layer: Layer, width: int, height: int) -> Tensor:
    """How much of each pixel a layer with alpha covers, were it alone: (N, height, width)."""
    return _sample(scene, layer, width, height)[:, 3]


def freeze(scene: Scene, instant: int) -> Scene:
    """The scene at one of its instants."""

    def at(values: Field) -> Field:
        return values[instant : instant + 1] if len(values) > 1 else values

    path, frozen = scene.path, []
    for layer in scene.layers:
        bend = layer.bend and replace(layer.bend, strength=at(layer.bend.strength))
        texture = layer.texture[instant : instant + 1] if len(layer.texture) > 1 else layer.texture
        x, y, turn, growth = (at(v) for v in (layer.x, layer.y, layer.turn, layer.growth))
        frozen.append(
            replace(layer, texture=texture, x=x, y=y, turn=turn, growth=growth, bend=bend)
        )
    path = CameraPath(at(path.x), at(path.y), at(path.log_zoom), at(path.roll))
    return replace(scene, layers=tuple(frozen), path=path)


def _expose(scene: Scene, width: int, height: int) -> Tensor:
    """Light that arrives at the sensor, (T, 3, height, width) in 0..1."""
    picture = torch.zeros(())
    for layer in scene.layers:
        picture = _lay_over(picture, _sample(scene, layer, width, height))
    if scene.shutter_samples > 1:
        picture = picture.view(-1, scene.shutter_samples, *picture.shape[1:]).mean(dim=1)
    return picture


def _sample(scene: Scene, layer: Layer, width: int, height: int) -> Tensor:
    """What the camera sees of one layer, (N, 3 or 4, height, width).

    The map from pixels to the texture is smooth: it is computed on every eighth pixel or so
    and interpolated.
    """
    columns, rows = (np.linspace(0.5, n - 0.5, max(n // 8, 2)) - n / 2 for n in (width, height))
    short = min(width, height)
    u, v = _aim(
        scene,
        layer.nearness,
        columns[None, None, :] / short - scene.axis_x,
        rows[None, :, None] / short - scene.axis_y,
    )
    coarse = torch.from_numpy(np.stack(_to_texture(layer, u, v), axis=1).astype(np.float32))
    fine = F.interpolate(coarse, size=(height, width), mode="bilinear", align_corners=True)
    return _grid_sample(layer, fine.permute(0, 2, 3, 1))


def _aim(scene: Scene, nearness: float, across: Field, down: Field) -> tuple[Field, Field]:
    """Longitude and height on the cylinder, (N, H, W) each, of offsets from the optical axis.

    The offsets are (1, 1, W) across and (1, H, 1) down; everything is in short sides.
    """
    path, lens = scene.path, scene.lens
    roll = path.roll[:, None, None]
    pitch = path.y[:, None, None] * (1 + nearness) / lens
    yaw = path.x[:, None, None] * (1 + nearness) / lens
    right = np.cos(roll) * across - np.sin(roll) * down
    below = np.sin(roll) * across + np.cos(roll) * down
    ahead = lens * np.exp(path.log_zoom)[:, None, None]
    below, ahead = (
        below * np.cos(pitch) + ahead * np.sin(pitch),
        ahead * np.cos(pitch) - below * np.sin(pitch),
    )
    return lens * (np.arctan2(right, ahead) + yaw), lens * below / np.hypot(right, ahead)


def _to_texture(layer: Layer, u: Field, v: Field) -> tuple[Field, Field]:
    """Points on the cylinder to texture coordinates, -1..1 from edge to edge."""
    right, below = u - layer.x[:, None, None], v - layer.y[:, None, None]
    cos, sin = (f(layer.turn)[:, None, None] for f in (np.cos, np.sin))
    scale = 2 / (layer.extent * layer.growth)[:, None, None]
    rows, columns = layer.texture.shape[-2:]
    across = (cos * right + sin * below) * scale * rows / columns
    down = (cos * below - sin * right) * scale
    if layer.bend:
        more_across, more_down = layer.bend.shift(across, down)
        across, down = across + more_across, down + more_down
    return across, down


def _grid_sample(layer: Layer, grid: Tensor) -> Tensor:
    """The layer's texture at texture coordinates (N, H, W, 2)."""
    texture = layer.texture.expand(len(grid), -1, -1, -1)
    padding = "reflection" if layer.mirrored else "zeros"
    return F.grid_sample(texture, grid, padding_mode=padding, align_corners=False)


def _lay_over(under: Tensor, over: Tensor) -> Tensor:
    """One picture over another; the upper one may have a fourth channel, its alpha."""
    if over.shape[1] == 3:
        return over
    return torch.lerp(under, over[:, :3], over[:, 3:])


def _develop(pixels: Tensor, look: Look, rng: np.random.Generator) -> Tensor:
    """From light (T, 3, H, W) in 0..1 to uint8 pixels."""
    if look.blur > 0:
        pixels = _blur(pixels, look.blur)
    exposure = torch.from_numpy(look.exposure.astype(np.float32)).view(-1, 1, 1, 1)
    pixels = torch.lerp(pixels * exposure, torch.tensor(0.5), look.haze)
    if look.badge is not None:
        pixels = _lay_over(pixels, look.badge[None])
    if look.noise > 0:
        grain = rng.standard_normal((len(pixels), 1, *pixels.shape[2:]), dtype=np.float32)
        pixels = pixels + torch.from_numpy(grain * np.float32(look.noise))
    pixels = (pixels * 255 + 0.5).clamp_(0, 255).to(torch.uint8)
    return _mask_bars(pixels, look)


def _mask_bars(pixels: Tensor, look: Look) -> Tensor:
    height, width = pixels.shape[2:]
    rows, columns = round(look.bar_rows * height), round(look.bar_columns * width)
    if rows or columns:
        framed = torch.zeros_like(pixels)
        window = (..., slice(rows, height - rows), slice(columns, width - columns))
        framed[window] = pixels[window]
        return framed
    return pixels


def _blur(pixels: Tensor, sigma: float) -> Tensor:
    """Gaussian blur of (T, 3, H, W), sigma in pixels."""
    reach = max(1, round(2.5 * sigma))
    offsets = torch.arange(-reach, reach + 1, dtype=torch.float32)
    kernel = torch.exp(-0.5 * (offsets / sigma) ** 2)
    kernel = (kernel / kernel.sum()).expand(3, 1, 1, -1).contiguous()
    padded = F.pad(pixels, (reach, reach, reach, reach), mode="replicate")
    across = F.conv2d(padded, kernel, groups=3)
    return F.conv2d(across, kernel.transpose(2, 3).contiguous(), groups=3)
