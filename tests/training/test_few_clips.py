from dataclasses import replace

import pytest

from hiera_cli.checkpoints.open import open_model
from hiera_cli.training.few_clips import FEW_VIDEOS, for_few_clips, reason
from hiera_cli.training.recipe import FinetuneChanges
from hiera_cli.training.recipes import FINETUNE, finetune_recipe

BASE = FINETUNE[True, "base"]
MOTION = finetune_recipe(open_model("camera-motion").model.config)


@pytest.mark.parametrize(
    ("num_videos", "batch_size", "epochs"),
    [(20, 8, 60), (320, 16, 20), (1000, 32, 13), (4999, 32, 10)],
)
def test_the_motion_network_follows_the_number_of_clips(
    num_videos: int, batch_size: int, epochs: int
) -> None:
    found = for_few_clips(MOTION, num_videos)
    assert (found.batch_size, found.epochs) == (batch_size, epochs)
    assert found.lr == pytest.approx(MOTION.lr * batch_size / MOTION.batch_size)
    assert found.warmup_epochs == min(MOTION.warmup_epochs, epochs / 10)
    assert (found.layer_decay, found.patience) == (0.75, 6)


def test_the_base_network_has_the_papers_learning_rate_for_its_batch() -> None:
    found = for_few_clips(BASE, 640)
    assert (found.batch_size, found.lr) == (32, pytest.approx(BASE.lr / 8))
    assert replace(found, mixup=0.8) == replace(found, mixup=BASE.mixup)


def test_a_fitted_head_is_treated_gently() -> None:
    fresh = for_few_clips(MOTION, 320)
    found = for_few_clips(MOTION, 320, fitted_head=True)
    assert (found.lr, found.min_area, found.label_smoothing) == (pytest.approx(5e-5), 0.7, 0.0)
    assert not found.flip
    assert replace(found, lr=fresh.lr, min_area=0.3, label_smoothing=0.05, flip=True) == fresh


def test_many_clips_have_the_papers_recipe() -> None:
    assert for_few_clips(BASE, FEW_VIDEOS) == BASE


def test_what_is_given_wins_and_the_reason_says_what_is_done() -> None:
    found = for_few_clips(MOTION, 320).changed(FinetuneChanges(patience=0, lr=1e-3))
    assert (found.patience, found.lr, found.batch_size) == (0, 1e-3, 16)
    said = reason(for_few_clips(MOTION, 320), 320)
    assert "320 clips are few: batches of 16 (20 steps an epoch), 20 epochs at most" in said
    assert "learning rate 0.0002" in said
