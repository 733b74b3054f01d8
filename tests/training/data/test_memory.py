import numpy as np

from hiera_cli.training.data.memory import PixelMemory


def test_pixels_are_made_once_while_there_is_room() -> None:
    memory, calls = PixelMemory(room_bytes=10), []

    def made(name: str, num_bytes: int) -> list[int]:
        def make() -> np.ndarray:
            calls.append(name)
            return np.full(num_bytes, len(calls), dtype=np.uint8)

        return memory.get(name, make).tolist()

    assert made("a", 6) == made("a", 6) == [1] * 6
    assert made("b", 5) == [2] * 5  # six of ten bytes are taken: made again each time
    assert made("b", 5) == [3] * 5
    assert made("c", 4) == made("c", 4) == [4] * 4
    assert made("a", 6) == [1] * 6
    assert calls == ["a", "b", "b", "c"]


def test_a_map_of_a_file_is_copied_as_its_descriptor_would_stay_open(tmp_path) -> None:
    np.save(tmp_path / "x.npy", np.arange(4, dtype=np.uint8))
    memory = PixelMemory()
    kept = memory.get("x", lambda: np.load(tmp_path / "x.npy", mmap_mode="c"))
    assert not isinstance(kept, np.memmap)
    assert kept.tolist() == [0, 1, 2, 3]
