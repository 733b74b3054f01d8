"""Frames through shared memory: whose they are, how many at once, and what a child may say."""

import mmap
import os
import sys

import pytest

from hiera_cli.video.isolation.shared_memory import (
    SHARED_BYTES,
    FrameSink,
    FrameSource,
    make_shared_memory,
)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has such memory")


@pytest.fixture
def descriptor() -> int:
    made = make_shared_memory()
    assert made is not None
    yield made
    os.close(made)


def filled(value: int, num_bytes: int) -> memoryview:
    return memoryview(bytes([value]) * num_bytes)


def test_frames_arrive_and_belong_to_the_parent(descriptor: int) -> None:
    waits: list[int] = []
    source, sink = FrameSource(descriptor), FrameSink(descriptor, lambda: waits.append(1))
    first = source.copy(sink.place(filled(1, 5000)), 5000)
    for value in range(2, 9):
        offset = sink.place(filled(value, 5000))
        assert source.copy(offset, 5000) == bytes([value]) * 5000
    assert first == bytes([1]) * 5000
    assert len(waits) == 4  # of eight frames, four need no wait
    source.close()


def test_a_frame_of_another_size_waits_for_all_before_it(descriptor: int) -> None:
    waits: list[int] = []
    sink = FrameSink(descriptor, lambda: waits.append(1))
    for _ in range(3):
        sink.place(filled(1, 5000))
    assert waits == []
    sink.place(filled(2, 7000))
    assert len(waits) == 3
    sink.forget()
    assert sink.place(filled(3, 9000)) == 0
    assert len(waits) == 3


def test_a_frame_that_is_too_large_to_have_two_of_stays_outside(descriptor: int) -> None:
    sink = FrameSink(descriptor, lambda: None)
    assert sink.place(filled(0, SHARED_BYTES // 2 + 1)) is None
    assert sink.place(filled(0, SHARED_BYTES // 2)) == 0
    assert sink.place(filled(0, SHARED_BYTES // 2)) == SHARED_BYTES // 2


@pytest.mark.parametrize(("offset", "num_bytes"), [(-1, 4), (SHARED_BYTES - 3, 4), (1 << 60, 1)])
def test_nothing_outside_is_read(descriptor: int, offset: int, num_bytes: int) -> None:
    source = FrameSource(descriptor)
    with pytest.raises(ValueError, match="no frame"):
        source.copy(offset, num_bytes)
    source.close()


@pytest.mark.parametrize("num_bytes", [0, SHARED_BYTES - 1, SHARED_BYTES + 1])
def test_its_size_cannot_be_changed(descriptor: int, num_bytes: int) -> None:
    """A mapping that shrinks kills whoever reads it."""
    with pytest.raises(PermissionError):
        os.ftruncate(descriptor, num_bytes)


def test_the_parent_cannot_write(descriptor: int) -> None:
    source = FrameSource(descriptor)
    with pytest.raises(TypeError):
        source._memory[0] = 1
    source.close()


def test_nothing_is_left_of_it(descriptor: int) -> None:
    """It has no name: when the last process is gone, so is the memory."""
    assert os.readlink(f"/proc/self/fd/{descriptor}") == "/memfd:frames (deleted)"
    assert mmap.mmap(descriptor, 0).size() == SHARED_BYTES
