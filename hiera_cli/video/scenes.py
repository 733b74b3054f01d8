"""Made-up places filmed by a moving camera: layers, things that move on their own, and a look.

A scene is a stack of textured layers on a cylinder around the camera. Rendering turns every
pixel into a direction, and looks the direction up in each layer.
"""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from hiera_cli.video.camera import CameraPath

Frames = npt.NDArray[np.uint8]


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
    """

    texture: Tensor
    extent: float
    nearness: float = 0.0
    mirrored: bool = True
    x: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros(1))
    y: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros(1))
    turn: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros(1))
    growth: npt.NDArray[np.float64] = field(default_factory=lambda: np.ones(1))


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

    exposure: npt.NDArray[np.float64] = field(default_factory=lambda: np.ones(1))
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


def render(
    scene: Scene, width: int, height: int, *, rng: np.random.Generator, oversampling: int = 1
) -> Frames:
    """The frames of a scene, (T, height, width, 3) uint8 RGB."""
    pixels = _expose(scene, width * oversampling, height * oversampling)
    if oversampling > 1:
        pixels = F.avg_pool2d(pixels, oversampling)
    pixels = _develop(pixels, scene.look, rng)
    return pixels.permute(0, 2, 3, 1).contiguous().numpy()


def _expose(scene: Scene, width: int, height: int) -> Tensor:
    """Light that arrives at the sensor, (T, 3, height, width) in 0..1."""
    directions: dict[float, Tensor] = {}
    picture = torch.zeros(())
    for layer in scene.layers:
        if layer.nearness not in directions:
            directions[layer.nearness] = _look_up(scene, layer.nearness, width, height)
        picture = _lay_over(picture, _sample(layer, directions[layer.nearness]))
    if scene.shutter_samples > 1:
        picture = picture.unflatten(0, (-1, scene.shutter_samples)).mean(dim=1)
    return picture


def _look_up(scene: Scene, nearness: float, width: int, height: int) -> Tensor:
    """Where every pixel looks on the cylinder, (N, height, width, 2) in short sides.

    Computed on every eighth pixel or so and interpolated: the map is smooth.
    """
    short = min(width, height)
    rows, columns = max(height // 8, 2), max(width // 8, 2)
    across = (np.linspace(0.5, width - 0.5, columns) - width / 2) / short - scene.axis_x
    down = (np.linspace(0.5, height - 0.5, rows) - height / 2) / short - scene.axis_y
    u, v = _aim(scene, nearness, across[None, None, :], down[None, :, None])
    coarse = torch.from_numpy(np.stack([u, v], axis=1).astype(np.float32))
    fine = F.interpolate(coarse, size=(height, width), mode="bilinear", align_corners=True)
    return fine.permute(0, 2, 3, 1)


def _aim(
    scene: Scene, nearness: float, across: npt.NDArray[np.float64], down: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Pixel offsets from the optical axis to points on the cylinder, both in short sides."""
    path, lens = scene.path, scene.lens
    roll, pitch, yaw, zoom = (
        curve[:, None, None]
        for curve in (
            path.roll,
            path.y * (1 + nearness) / lens,
            path.x * (1 + nearness) / lens,
            np.exp(path.log_zoom),
        )
    )
    right = np.cos(roll) * across - np.sin(roll) * down
    below = np.sin(roll) * across + np.cos(roll) * down
    ahead = lens * zoom
    below, ahead = (
        below * np.cos(pitch) + ahead * np.sin(pitch),
        ahead * np.cos(pitch) - below * np.sin(pitch),
    )
    turned = np.arctan2(right, ahead) + yaw
    return lens * turned, lens * below / np.hypot(right, ahead)


def _sample(layer: Layer, directions: Tensor) -> Tensor:
    """The layer's colours along the directions, (N, 3 or 4, height, width)."""
    num, height, width = directions.shape[:3]
    matrix, offset = _texture_map(layer)
    grid = (directions.flatten(1, 2) @ matrix + offset).view(-1, height, width, 2)
    if len(layer.texture) == 1:
        flat = grid.reshape(1, num * height, width, 2)
        colours = _grid_sample(layer, flat)
        return colours.view(-1, num, height, width).transpose(0, 1)
    return _grid_sample(layer, grid)


def _texture_map(layer: Layer) -> tuple[Tensor, Tensor]:
    """World to texture coordinates: a (N or 1, 2, 2) matrix and a (N or 1, 1, 2) offset."""
    rows, columns = layer.texture.shape[-2:]
    cos, sin = np.cos(layer.turn), np.sin(layer.turn)
    scale = 2 / (layer.extent * layer.growth)
    narrow = rows / columns
    columns_of_matrix = [[cos * scale * narrow, -sin * scale], [sin * scale * narrow, cos * scale]]
    matrix = np.moveaxis(np.array([[np.broadcast_to(v, scale.shape) for v in row] for row in columns_of_matrix]), -1, 0)
    center = np.stack(np.broadcast_arrays(layer.x, layer.y), axis=-1)[:, None, :]
    offset = -center @ matrix
    return torch.from_numpy(matrix.astype(np.float32)), torch.from_numpy(offset.astype(np.float32))


def _grid_sample(layer: Layer, grid: Tensor) -> Tensor:
    padding = "reflection" if layer.mirrored else "zeros"
    return F.grid_sample(layer.texture, grid, padding_mode=padding, align_corners=False)


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
