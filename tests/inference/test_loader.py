"""Batches come in input order, failures stand in their place, and leaving early leaves nothing."""

import threading
from collections.abc import Callable
from dataclasses import replace

import psutil
import pytest

from hiera_cli.checkpoints.preprocessing import Preprocessing
from hiera_cli.errors import MediaError
from hiera_cli.inference.loader import LoaderOptions, VideoEnd, load_batches
from hiera_cli.inputs import InputPath
from hiera_cli.video.isolation import worker
from hiera_cli.video.isolation.parent import DecodeProcess
from hiera_cli.video.protocols import make_protocol
from tests.media import write_clip

LOOK = Preprocessing(num_frames=4, frame_stride=4, crop_size=32, short_side=37)
PROTOCOL = make_protocol("balanced", clips=3, crops=1, num_frames=4, frame_stride=4)
OPTIONS = LoaderOptions(protocol=PROTOCOL, preprocessing=LOOK, batch_size=4)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[InputPath]:
    """Seven clips and two files that cannot be read, at places 2 and 8."""
    folder = tmp_path_factory.mktemp("videos")
    for number in range(9):
        path = folder / f"{number}.mp4"
        if number in (2, 8):
            path.write_bytes(b"no video")
        else:
            write_clip(path, 10 + number)
    return [InputPath(str(folder / f"{n}.mp4"), f"{n}.mp4") for n in range(9)]


@pytest.mark.parametrize(("workers", "isolate"), [(1, False), (3, False), (2, True)])
def test_views_and_ends_come_in_input_order(
    files: list[InputPath], workers: int, isolate: bool
) -> None:
    options = replace(OPTIONS, workers=workers, isolate=isolate)
    batches = list(load_batches(files, options))
    slots = [(slot.video_index, slot.clip.clip_index) for b in batches for slot in b.slots]
    assert slots == [(video, clip) for video in (0, 1, 3, 4, 5, 6, 7) for clip in range(3)]
    assert [len(b.slots) for b in batches if b.slots] == [4, 4, 4, 4, 4, 1]
    ends = [end for batch in batches for end in batch.ended]
    assert [end.video_index for end in ends] == list(range(9))
    assert [outcome(end) for end in ends] == [
        "not_a_video" if n in (2, 8) else 10 + n for n in range(9)
    ]


def outcome(end: VideoEnd) -> str | int:
    if end.failure is not None:
        return end.failure.kind
    assert end.info is not None
    return end.info.num_frames


@pytest.mark.parametrize(
    ("isolate", "num_files", "expected"),
    [(None, 1, False), (None, 2, True), (True, 1, True), (False, 2, False)],
)
def test_more_than_one_file_is_decoded_in_children(
    files: list[InputPath],
    monkeypatch: pytest.MonkeyPatch,
    isolate: bool | None,
    num_files: int,
    expected: bool,
) -> None:
    isolated = []

    def decode(self: DecodeProcess, path: str, *_: object, **__: object) -> None:
        isolated.append(path)
        raise MediaError("corrupt", "not today")

    monkeypatch.setattr(DecodeProcess, "decode", decode)
    list(load_batches(files[:num_files], replace(OPTIONS, isolate=isolate)))
    assert isolated == ([file.path for file in files[:num_files]] if expected else [])


@pytest.mark.parametrize("isolate", [False, True])
@pytest.mark.parametrize("leave", [lambda batches: batches.close(), lambda _: None])
def test_leaving_early_ends_threads_and_children(
    files: list[InputPath], isolate: bool, leave: Callable[[object], None]
) -> None:
    threads, children = threading.active_count(), len(psutil.Process().children())
    batches = load_batches(files, replace(OPTIONS, workers=2, isolate=isolate))
    next(batches)
    assert threading.active_count() == threads + 2
    leave(batches)
    del batches  # as when an error passes by
    assert threading.active_count() == threads
    assert len(psutil.Process().children()) == children


def test_a_decoder_that_dies_again_and_again_costs_one_file(
    files: list[InputPath], monkeypatch: pytest.MonkeyPatch
) -> None:
    decode, start_child, doomed = DecodeProcess.decode, worker._start, []

    def start(shared: int | None) -> object:
        child = start_child(shared)
        if doomed:
            child.kill()
        return child

    def fragile(self: DecodeProcess, path: str, *rest: object, **more: object) -> object:
        if path == files[1].path:
            self.close()
            doomed.append(path)
        try:
            yield from decode(self, path, *rest, **more)  # type: ignore[arg-type]
        finally:
            doomed.clear()

    monkeypatch.setattr(worker, "_start", start)
    monkeypatch.setattr(DecodeProcess, "decode", fragile)
    batches = list(load_batches(files[:4], replace(OPTIONS, isolate=True)))
    outcomes = [outcome(end) for batch in batches for end in batch.ended]
    assert outcomes == [10, "internal", "not_a_video", 13]
