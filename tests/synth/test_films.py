"""Films of several movements: one path through all, and the world that it is filmed in."""

import numpy as np
import pytest
import torch

from hiera_cli.synth.camera import MOTIONS
from hiera_cli.synth.films import (
    Take,
    draw_takes,
    film_frames,
    intervals,
    stage_film,
    stage_real_film,
    string_paths,
)
from hiera_cli.synth.footage import Footage
from hiera_cli.synth.props import Props
from hiera_cli.synth.staging import Shot

SHOT = Shot(fps=10, width=48, height=32)


def test_takes_are_all_movements_once() -> None:
    takes = draw_takes(np.random.default_rng(0), fps=10)
    assert sorted(take.motion for take in takes) == sorted(MOTIONS)
    assert all(3 <= take.seconds < 6 for take in takes)


def test_takes_of_one_kind_are_one_interval() -> None:
    found = intervals([Take("static", 1), Take("static", 2), Take("shake", 0.5)])
    assert [(i.start_seconds, i.end_seconds, i.motion) for i in found] == [
        (0, 3, "static"),
        (3, 3.5, "shake"),
    ]


def test_a_path_goes_on_where_it_was() -> None:
    takes = [Take("pan right", 2), Take("static", 2), Take("zoom in", 2)]
    path = string_paths(takes, np.random.default_rng(1), fps=10)
    assert len(path) == 60
    assert (np.diff(path.x[:21]) > 0).all()
    assert np.ptp(path.x[20:]) == 0
    assert np.ptp(path.log_zoom[:41]) == 0
    assert (np.diff(path.log_zoom[40:]) > 0).all()


def test_a_pan_of_a_rolled_camera_goes_along_the_picture() -> None:
    takes = [Take("roll clockwise", 3), Take("pan right", 2)]
    path = string_paths(takes, np.random.default_rng(1), fps=10)
    roll = path.roll[-1]
    across, down = np.ptp(path.x[30:]), path.y[-1] - path.y[30]
    assert down / across == pytest.approx(np.tan(roll))


@pytest.mark.parametrize("plain", [False, True])
def test_a_static_film_rests(plain: bool) -> None:
    rng = np.random.default_rng(2)
    takes = [Take("static", 7)]
    scene = stage_film(takes, rng, Props(rng, num_worlds=1), SHOT, plain=plain)
    frames = list(film_frames(scene, SHOT, rng=rng))
    assert len(frames) == 70
    assert frames[0].shape == (32, 48, 3)
    assert np.abs(frames[0].astype(int) - frames[-1]).mean() < 16


def test_footage_plays_to_and_fro() -> None:
    shades = torch.linspace(0, 1, 4)[:, None, None, None] * torch.ones(4, 3, 20, 20)
    shades[:, :, ::4] *= 0.5
    scene = stage_real_film([Take("static", 1)], np.random.default_rng(0), Footage(shades), SHOT)
    levels = [f.mean() for f in film_frames(scene, SHOT, rng=np.random.default_rng(0))]
    assert levels[0] < levels[1] < levels[2] < levels[3]
    assert levels[4] == pytest.approx(levels[2])
    assert levels[6] == pytest.approx(levels[0])
