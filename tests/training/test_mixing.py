import pytest
import torch

from hiera_cli.training.mixing import Mixing, mix, smooth_targets


def clips(*values: float) -> torch.Tensor:
    return torch.stack([torch.full((3, 2, 8, 8), value) for value in values])


def test_label_smoothing_values() -> None:
    soft = smooth_targets(torch.tensor([2]), Mixing(4, smoothing=0.1))
    torch.testing.assert_close(soft, torch.tensor([[0.025, 0.025, 0.925, 0.025]]))


def test_without_mixing_clips_stay() -> None:
    pixels = clips(0.0, 1.0)
    mixed, targets = mix(pixels, torch.tensor([0, 1]), torch.tensor([5, 6]), Mixing(2))
    assert mixed is pixels
    assert targets.tolist() == [[1.0, 0.0], [0.0, 1.0]]


def test_mixup_blends_pixels_and_targets_by_the_same_share() -> None:
    mixed, targets = mix(
        clips(0.0, 1.0), torch.tensor([0, 1]), torch.tensor([5, 6]), Mixing(2, mixup=0.8)
    )
    share = targets[0, 0].item()
    assert 0 < share < 1
    torch.testing.assert_close(mixed[0], torch.full((3, 2, 8, 8), 1 - share))
    torch.testing.assert_close(mixed[1], torch.full((3, 2, 8, 8), share))
    torch.testing.assert_close(targets[1], targets[0].flip(0))


@pytest.mark.parametrize("seed", range(8))
def test_cutmix_targets_are_the_area_that_stays(seed: int) -> None:
    seeds = torch.tensor([seed, 0])
    mixed, targets = mix(clips(0.0, 1.0), torch.tensor([0, 1]), seeds, Mixing(2, cutmix=1.0))
    assert set(mixed.unique().tolist()) <= {0.0, 1.0}
    assert targets[0, 0].item() == pytest.approx(1 - mixed[0].mean().item())
    assert torch.equal(mixed[0, :, 0], mixed[0, :, 1])  # the same box in every frame


def test_an_odd_clip_stays_as_it_is() -> None:
    pixels = clips(0.0, 1.0, 0.5)
    mixed, targets = mix(pixels, torch.tensor([0, 1, 1]), torch.arange(3), Mixing(2, mixup=0.8))
    assert torch.equal(mixed[2], pixels[2])
    assert targets[2].tolist() == [0.0, 1.0]


def test_the_draw_of_a_pair_does_not_depend_on_the_batch_around_it() -> None:
    pixels, labels, seeds = (
        torch.rand(6, 3, 2, 8, 8),
        torch.tensor([0, 1, 1, 0, 0, 1]),
        torch.arange(6),
    )
    mixing = Mixing(2, smoothing=0.1, mixup=0.8, cutmix=1.0)
    whole, targets = mix(pixels, labels, seeds, mixing)
    part, part_targets = mix(pixels[2:4], labels[2:4], seeds[2:4], mixing)
    assert torch.equal(whole[2:4], part)
    assert torch.equal(targets[2:4], part_targets)


def test_mixup_shares_follow_the_beta_distribution() -> None:
    mixing, labels = Mixing(2, mixup=0.8), torch.tensor([0, 1])
    shares = [
        mix(clips(0.0, 1.0), labels, torch.tensor([seed, 0]), mixing)[1][0, 0].item()
        for seed in range(400)
    ]
    # Beta(0.8, 0.8): mean 1/2, variance 1 / (4 · (2 · 0.8 + 1)) = 0.0962
    assert sum(shares) / 400 == pytest.approx(0.5, abs=0.05)
    assert torch.tensor(shares).var().item() == pytest.approx(0.0962, abs=0.015)
