import pytest

from hiera_cli.errors import UsageError
from hiera_cli.training.data.order import Draw, Order, visit_rng


def test_each_pass_visits_every_video_once() -> None:
    order = Order(num_samples=10, batch_size=4, seed=3)
    visits = [visit for part in order.parts(0, 5) for visit in part]
    for pass_index in (0, 1):
        seen = sorted(v.sample_index for v in visits if v.pass_index == pass_index)
        assert seen == list(range(10))
    first = [v.sample_index for v in visits[:10]]
    assert first != [v.sample_index for v in visits[10:]]
    assert first != list(range(10))


def test_a_continued_run_sees_what_an_uninterrupted_one_sees() -> None:
    order = Order(num_samples=7, batch_size=6, repeats=2, seed=1)
    assert list(order.parts(0, 9))[4:] == list(order.parts(4, 9))


def test_processes_and_parts_share_one_batch() -> None:
    whole = Order(num_samples=11, batch_size=8, seed=5)
    for step in range(4):
        shares = [
            Order(num_samples=11, batch_size=8, seed=5, num_parts=2, rank=r, world_size=2)
            for r in range(2)
        ]
        split = [visit for part in range(2) for share in shares for visit in share.part(step, part)]
        assert split == whole.part(step, 0)


def test_repeats_and_epochs() -> None:
    order = Order(num_samples=100, batch_size=16, repeats=4)
    assert order.videos_per_part == 4
    assert order.steps_per_epoch == 7


def test_a_batch_that_does_not_divide_is_refused() -> None:
    with pytest.raises(
        UsageError, match="24 clips does not divide into 2 processes × 1 parts × 16"
    ):
        Order(num_samples=9, batch_size=24, repeats=16, world_size=2)


def test_draws_depend_on_seed_visit_and_repeat_only() -> None:
    drawn = visit_rng(1, Draw(2, 3), 0).random()
    assert drawn == visit_rng(1, Draw(2, 3), 0).random()
    others = [(0, Draw(2, 3), 0), (1, Draw(3, 3), 0), (1, Draw(2, 4), 0), (1, Draw(2, 3), 1)]
    assert all(visit_rng(*other).random() != drawn for other in others)
