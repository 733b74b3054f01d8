import pytest
import torch

from hiera_cli.training.data.mixing import Mixing, mix, smooth_targets


def clips(*values: float) -> torch.Tensor:
    return torch.stack([torch.full((3, 2, 8, 8), value) for value in values])


def test_label_smoothing_values() -> None:
    soft = smooth_targets(torch.tensor([2]), Mixing(4, smoothing=0.1))
    torch.testing.assert_close(soft, torch.tensor([[0.025, 0.025, 0.925, 0.025]]))


def mixed(
    pixels: torch.Tensor, labels: list[int], mixing: Mixing, *, first_seed: int = 5
) -> tuple[torch.Tensor, torch.Tensor]:
    places = torch.arange(len(labels))
    return mix(pixels, torch.tensor(labels), mixing, seeds=first_seed + places, places=places)


def test_without_mixing_clips_stay() -> None:
    pixels = clips(0.0, 1.0)
    same, targets = mixed(pixels, [0, 1], Mixing(2))
    assert same is pixels
    assert targets.tolist() == [[1.0, 0.0], [0.0, 1.0]]


def test_mixup_blends_pixels_and_targets_by_the_same_share() -> None:
    blended, targets = mixed(clips(0.0, 1.0), [0, 1], Mixing(2, mixup=0.8))
    share = targets[0, 0].item()
    assert 0 < share < 1
    torch.testing.assert_close(blended[0], torch.full((3, 2, 8, 8), 1 - share))
    torch.testing.assert_close(blended[1], torch.full((3, 2, 8, 8), share))
    torch.testing.assert_close(targets[1], targets[0].flip(0))


@pytest.mark.parametrize("seed", range(8))
def test_cutmix_targets_are_the_area_that_stays(seed: int) -> None:
    cut, targets = mixed(clips(0.0, 1.0), [0, 1], Mixing(2, cutmix=1.0), first_seed=seed)
    assert set(cut.unique().tolist()) <= {0.0, 1.0}
    assert targets[0, 0].item() == pytest.approx(1 - cut[0].mean().item())
    assert torch.equal(cut[0, :, 0], cut[0, :, 1])  # the same box in every frame


def test_a_clip_without_partner_stays_as_it_is() -> None:
    """Place 3 could not be read: 0 and 1 are a pair, 2 is alone, and so is the last one."""
    pixels, labels = clips(0.0, 1.0, 0.5, 0.25), torch.tensor([0, 1, 1, 0])
    places = torch.tensor([0, 1, 2, 4])
    result, targets = mix(pixels, labels, Mixing(2, mixup=0.8), seeds=places, places=places)
    assert not torch.equal(result[:2], pixels[:2])
    assert torch.equal(result[2:], pixels[2:])
    assert targets[2:].tolist() == [[0.0, 1.0], [1.0, 0.0]]


def test_the_draw_of_a_pair_does_not_depend_on_the_batch_around_it() -> None:
    pixels, mixing = torch.rand(6, 3, 2, 8, 8), Mixing(2, smoothing=0.1, mixup=0.8, cutmix=1.0)
    whole, targets = mixed(pixels, [0, 1, 1, 0, 0, 1], mixing, first_seed=0)
    part, part_targets = mixed(pixels[2:4], [1, 0], mixing, first_seed=2)
    assert torch.equal(whole[2:4], part)
    assert torch.equal(targets[2:4], part_targets)


def test_mixup_shares_follow_the_beta_distribution() -> None:
    mixing = Mixing(2, mixup=0.8)
    shares = [
        mixed(clips(0.0, 1.0), [0, 1], mixing, first_seed=seed)[1][0, 0].item()
        for seed in range(400)
    ]
    # Beta(0.8, 0.8): mean 1/2, variance 1 / (4 · (2 · 0.8 + 1)) = 0.0962
    assert sum(shares) / 400 == pytest.approx(0.5, abs=0.05)
    assert torch.tensor(shares).var().item() == pytest.approx(0.0962, abs=0.015)
