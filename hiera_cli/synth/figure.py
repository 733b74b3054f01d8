"""Figures of limbs with rounded ends, in poses: what acts in the scenes of `actors.py`.

A figure is drawn in a square whose center is its middle, in half heights of the square: it stands
0.85 high above and below the center.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Rng = np.random.Generator
Colour = tuple[float, float, float]
Image = npt.NDArray[np.float32]
Point = tuple[float, float]

SIZE = 96  # pixels of the square
HIP, NECK, HEAD = 0.05, -0.45, -0.66
UPPER_ARM, FOREARM, THIGH, SHIN = 0.26, 0.26, 0.4, 0.4
LIMB, TORSO, SKULL = 0.07, 0.15, 0.17


@dataclass(frozen=True, slots=True)
class Pose:
    """Angles of the limbs in radians: 0 hangs down, positive swings to the right.

    Attributes:
        left_arm, right_arm: of the upper arms.
        left_elbow, right_elbow: of the forearms, on top of that.
        left_leg, right_leg: of the thighs.
        left_knee, right_knee: of the shins, on top of that.
    """

    left_arm: float = -0.15
    right_arm: float = 0.15
    left_elbow: float = 0.0
    right_elbow: float = 0.0
    left_leg: float = -0.1
    right_leg: float = 0.1
    left_knee: float = 0.0
    right_knee: float = 0.0


@dataclass(frozen=True, slots=True)
class Clothes:
    """Colours of a figure, each in 0..1."""

    skin: Colour
    shirt: Colour
    trousers: Colour
    width: float


def draw_clothes(rng: Rng) -> Clothes:
    """Random clothes and build."""
    skin = np.array((0.95, 0.78, 0.65)) * rng.uniform(0.35, 1.0)
    shirt, trousers = rng.uniform(0, 1, 3), rng.uniform(0, 0.7, 3)
    return Clothes(_colour(skin), _colour(shirt), _colour(trousers), float(rng.uniform(0.85, 1.25)))


def paint(pose: Pose, clothes: Clothes) -> Image:
    """The figure in a pose: (4, SIZE, SIZE), colours and alpha in 0..1."""
    picture = np.zeros((4, SIZE, SIZE), dtype=np.float32)
    for (start, end), radius, colour in _parts(pose, clothes):
        cover = _capsule(start, end, radius * clothes.width)
        picture[:3] += (np.array(colour, np.float32)[:, None, None] - picture[:3]) * cover
        picture[3] = np.maximum(picture[3], cover)
    return picture


def _colour(values: npt.NDArray[np.float64]) -> Colour:
    red, green, blue = (float(value) for value in values)
    return (red, green, blue)


def _parts(pose: Pose, clothes: Clothes) -> list[tuple[tuple[Point, Point], float, Colour]]:
    """Capsules from back to front: ends, radius and colour."""
    hips, shoulders = (0.08, HIP), (0.16, NECK + 0.06)
    parts = []
    for side, leg, knee in ((-1, pose.left_leg, pose.left_knee),
                            (1, pose.right_leg, pose.right_knee)):  # fmt: skip
        hip = (side * hips[0], hips[1])
        joint = _swung(hip, THIGH, leg)
        foot = _swung(joint, SHIN, leg + knee)
        parts += [((hip, joint), LIMB, clothes.trousers), ((joint, foot), LIMB, clothes.trousers)]
    parts.append((((0.0, NECK + 0.08), (0.0, HIP)), TORSO, clothes.shirt))
    for side, arm, elbow in ((-1, pose.left_arm, pose.left_elbow),
                             (1, pose.right_arm, pose.right_elbow)):  # fmt: skip
        shoulder = (side * shoulders[0], shoulders[1])
        joint = _swung(shoulder, UPPER_ARM, arm)
        hand = _swung(joint, FOREARM, arm + elbow)
        parts += [((shoulder, joint), LIMB, clothes.shirt), ((joint, hand), LIMB, clothes.skin)]
    parts.append((((0.0, HEAD), (0.0, HEAD)), SKULL, clothes.skin))
    return parts


def _swung(start: Point, length: float, angle: float) -> Point:
    return (start[0] + length * float(np.sin(angle)), start[1] + length * float(np.cos(angle)))


def _capsule(start: Point, end: Point, radius: float) -> Image:
    """How much of each pixel lies within `radius` of a line: (SIZE, SIZE)."""
    axis = (np.arange(SIZE, dtype=np.float32) + 0.5) * 2 / SIZE - 1
    x, y = axis[None, :] - start[0], axis[:, None] - start[1]
    dx, dy = end[0] - start[0], end[1] - start[1]
    along = np.clip((x * dx + y * dy) / max(dx * dx + dy * dy, 1e-9), 0, 1)
    distance = np.hypot(x - along * dx, y - along * dy)
    cover: Image = np.clip((radius - distance) * SIZE / 2 + 0.5, 0, 1).astype(np.float32)
    return cover
