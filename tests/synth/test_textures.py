"""Procedural textures: in range, varied, and the same for the same seed."""

import numpy as np
import pytest

from hiera_cli.synth.textures import draw_screen, draw_sprite, draw_world, fractal_noise


@pytest.mark.parametrize(
    ("draw", "channels"), [(draw_world, 3), (draw_screen, 4), (draw_sprite, 4)]
)
def test_textures(draw, channels):
    for seed in range(6):
        texture = draw(np.random.default_rng(seed), 96)
        assert texture.shape == (96, 96, channels)
        assert texture.dtype == np.float32
        assert texture.min() >= 0
        assert texture.max() <= 1
        assert texture[..., :3].std() > 0.01
        assert (texture == draw(np.random.default_rng(seed), 96)).all()
    assert (texture != draw(np.random.default_rng(99), 96)).any()


def test_sprites_are_bounded_and_screens_let_through():
    for seed in range(10):
        alpha = draw_sprite(np.random.default_rng(seed), 64)[..., 3]
        assert max(alpha[0].max(), alpha[-1].max(), alpha[:, 0].max(), alpha[:, -1].max()) == 0
        assert alpha.max() == 1
        screen = draw_screen(np.random.default_rng(seed), 64)[..., 3]
        assert 0.01 < screen.mean() < 0.4


def test_noise_has_detail_at_every_scale():
    noise = fractal_noise(np.random.default_rng(0), 256)
    fine = np.abs(np.diff(noise, axis=0)).mean()
    coarse = np.abs(noise[64:] - noise[:-64]).mean()
    assert 0.005 < fine < coarse
    rough = fractal_noise(np.random.default_rng(0), 256, roughness=0.8)
    assert np.abs(np.diff(rough, axis=0)).mean() > 2 * fine
