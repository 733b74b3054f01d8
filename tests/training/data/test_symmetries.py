"""What turned clips show is checked against the camera that films them."""

import numpy as np
import pytest
import torch

from hiera_cli.options import Symmetry
from hiera_cli.synth.camera import MOTIONS, CameraPath
from hiera_cli.synth.scenes import Layer, Scene, render
from hiera_cli.training.data.symmetries import WORDS, Symmetries, find_counterparts, turn_clip

TRAVEL = {
    "pan left": ("x", -0.3),
    "pan right": ("x", 0.3),
    "tilt up": ("y", -0.3),
    "tilt down": ("y", 0.3),
    "zoom in": ("log_zoom", 0.3),
    "zoom out": ("log_zoom", -0.3),
    "roll clockwise": ("roll", 0.4),
    "roll counterclockwise": ("roll", -0.4),
}


def film(motion: str, texture: torch.Tensor) -> torch.Tensor:
    """A clip (3, 4, 32, 32) of a plain world, seen through a long lens."""
    curves = dict.fromkeys(("x", "y", "log_zoom", "roll"), np.zeros(4))
    axis, travel = TRAVEL[motion]
    curves[axis] = travel * np.linspace(-0.5, 0.5, 4)
    scene = Scene((Layer(texture, extent=3.0),), CameraPath(**curves), lens=1000.0)
    frames = render(scene, 32, 32, rng=np.random.default_rng(0))
    return torch.from_numpy(frames).permute(3, 0, 1, 2)


@pytest.mark.parametrize("name", WORDS)
@pytest.mark.parametrize("motion", TRAVEL)
def test_a_turned_clip_is_a_clip_of_the_counterpart(motion: str, name: Symmetry) -> None:
    """Turning the picture of a world is filming the turned world with the counterpart's camera."""
    texture = torch.rand(1, 3, 24, 24, generator=torch.Generator().manual_seed(1))
    counterpart = MOTIONS[find_counterparts(MOTIONS, name)[MOTIONS.index(motion)] or 0]
    turned_world = texture if name == "reversal" else turn_clip(texture[0], name)[None]
    expected = film(counterpart, turned_world)
    found = turn_clip(film(motion, texture), name)
    assert (found.int() - expected.int()).abs().max() <= 2
    assert (film(motion, texture).int() - expected.int()).abs().float().mean() > 5


def test_every_movement_has_a_counterpart() -> None:
    for name in WORDS:
        counterparts = find_counterparts(MOTIONS, name)
        assert sorted(c for c in counterparts if c is not None) == list(range(len(MOTIONS)))


@pytest.mark.parametrize(
    ("label", "stays"),
    [
        ("pan left", False),
        ("roll_counter-clockwise", False),
        ("Pushing something from right to left", False),
        ("tilt up", True),
        ("leftover food", True),
        ("copyright notice", True),
    ],
)
def test_flips_alone_leave_out_labels_that_name_a_direction(label: str, stays: bool) -> None:
    flips = Symmetries.of_classes([label, "another"], flip=True)
    assert flips.counterparts["mirror"] == (0 if stays else None, 1)


def test_labels_follow_when_asked() -> None:
    classes = ["moving from left to right", "moving from right to left", "turn anticlockwise"]
    turned = Symmetries.of_classes(classes, flip=True, names=["mirror"])
    assert turned.counterparts == {"mirror": (1, 0, None)}


def test_half_of_the_clips_are_turned_with_their_labels() -> None:
    clip = torch.arange(3 * 2 * 4 * 4).view(3, 2, 4, 4)
    symmetries = Symmetries({"mirror": (1, 0, None)})
    rng = np.random.default_rng(0)
    results = [symmetries.turn(clip, 0, rng) for _ in range(200)]
    assert 70 < sum(target for _, target in results) < 130
    for result, target in results:
        assert torch.equal(result, clip.flip(-1) if target else clip)
    assert all(torch.equal(symmetries.turn(clip, 2, rng)[0], clip) for _ in range(20))


def test_unlabelled_clips_are_mirrored_only_if_they_may() -> None:
    clip, rng = torch.arange(16).view(1, 1, 4, 4), np.random.default_rng(0)
    turned = [Symmetries.of_pictures(flip=True).turn(clip, -1, rng) for _ in range(40)]
    assert {target for _, target in turned} == {-1}
    assert 5 < sum(torch.equal(c, clip) for c, _ in turned) < 35
    assert Symmetries.of_pictures(flip=False).turn(clip, -1, rng)[0] is clip


def test_a_flip_alone_never_changes_a_label() -> None:
    """`flip` mirrors clips whose label names no direction; a pan to the left stays as it is."""
    classes = ("static", "pan left", "pan right", "tilt up")
    flips = Symmetries.of_classes(classes, flip=True)
    assert flips.counterparts == {"mirror": (0, None, None, 3)}
    clip = torch.arange(2 * 4 * 4).float().view(1, 2, 4, 4).expand(3, 2, 4, 4)
    rng = np.random.default_rng(0)
    for _ in range(16):
        turned, target = flips.turn(clip, classes.index("pan left"), rng)
        assert target == classes.index("pan left")
        assert torch.equal(turned, clip)
    seen = [flips.turn(clip, classes.index("tilt up"), rng) for _ in range(16)]
    assert {target for _, target in seen} == {classes.index("tilt up")}
    assert any(torch.equal(turned, clip.flip(-1)) for turned, _ in seen)
