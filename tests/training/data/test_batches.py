import torch

from hiera_cli.checkpoints.preprocessing import Preprocessing
from hiera_cli.errors import Failure
from hiera_cli.training.data.batches import Visit, blank_batch, collate, normalised


def visit(value: int, *, repeats: int = 2) -> Visit:
    clips = tuple(
        torch.full((3, 1, 2, 2), 10 * value + r, dtype=torch.uint8) for r in range(repeats)
    )
    return Visit(clips, (value,) * repeats, tuple(100 * value + r for r in range(repeats)))


def test_the_first_clips_of_all_videos_come_first() -> None:
    batch = collate([visit(1), visit(2), visit(3)])
    assert batch.pixels[:, 0, 0, 0, 0].tolist() == [10, 20, 30, 11, 21, 31]
    assert batch.targets.tolist() == [1, 2, 3, 1, 2, 3]
    assert batch.seeds.tolist() == [100, 200, 300, 101, 201, 301]
    assert batch.places.tolist() == [0, 1, 2, 3, 4, 5]


def test_unreadable_files_leave_gaps() -> None:
    failure = Failure("x.mp4", "corrupt", "damaged")
    batch = collate([visit(1), Visit((), (), (), failure), visit(3)])
    assert len(batch) == 4
    assert batch.places.tolist() == [0, 2, 3, 5]
    assert batch.failures == (failure,)


def test_a_batch_without_any_clip() -> None:
    failure = Failure("x.mp4", "corrupt", "damaged")
    batch = collate([Visit((), (), (), failure)])
    assert len(batch) == 0
    assert batch.failures == (failure,)
    assert blank_batch((8, 4, 4)).pixels.shape == (1, 3, 8, 4, 4)


def test_normalised_pixels() -> None:
    pixels = torch.tensor([0, 255], dtype=torch.uint8).view(2, 1, 1, 1).expand(2, 3, 1, 1)
    found = normalised(pixels, Preprocessing())
    expected = torch.tensor([-2.0, (1 - 0.45) / 0.225]).view(2, 1, 1, 1).expand(2, 3, 1, 1)
    torch.testing.assert_close(found, expected)
