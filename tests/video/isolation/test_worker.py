"""A decoding child as its parent sees it: how it dies, what it may say, what it leaves behind."""

import gc
import json
import math
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hiera_cli.errors import MediaError
from hiera_cli.video.decode import Limits
from hiera_cli.video.isolation import worker
from hiera_cli.video.isolation.parent import DecodeProcess
from hiera_cli.video.protocols import PROTOCOLS
from tests.media import write_clip

FAST, DENSE = PROTOCOLS["fast"], PROTOCOLS["dense"]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clips") / "clip.mp4", 90)


@pytest.mark.parametrize(
    ("death", "kind", "message"),
    [
        (signal.SIGKILL, "internal", "its decoder was killed from outside (SIGKILL), by somebody "
         "or for lack of memory; the file may be good"),
        (signal.SIGTERM, "internal", "its decoder was killed from outside (SIGTERM)"),
        (signal.SIGSEGV, "corrupt", "the decoder crashed on this file (SIGSEGV)"),
        (signal.SIGABRT, "corrupt", "the decoder crashed on this file (SIGABRT)"),
    ],
)  # fmt: skip
def test_a_child_that_dies_twice_is_told_by_how_it_died(
    clip: Path,
    process: DecodeProcess,
    monkeypatch: pytest.MonkeyPatch,
    death: signal.Signals,
    kind: str,
    message: str,
) -> None:
    start, started = worker._start, []

    def start_doomed(shared: int | None) -> object:
        child = start(shared)
        started.append(child.pid)
        os.kill(child.pid, death)
        return child

    monkeypatch.setattr(worker, "_start", start_doomed)
    with pytest.raises(MediaError) as error:
        list(process.decode(str(clip), FAST, limits=Limits()))
    assert (error.value.kind, error.value.message[: len(message)]) == (kind, message)
    assert len(started) == 2
    assert process.pid is None


def message(payload: bytes = b"", **header: object) -> bytes:
    text = json.dumps({"num_bytes": len(payload), **header}).encode()
    return len(text).to_bytes(4, "little") + text + payload


NOTHING = {"times": [0], "indices": [0, 0], "clip_times": [0, 2]}
LIES = {
    "random bytes": b"nonsense" * 9,
    "a header of a gigabyte": (1 << 30).to_bytes(4, "little"),
    "a header that is no JSON": b"\x04\0\0\0{{{{",
    "a payload of an exabyte": message(num_bytes=1 << 60),
    "a payload of no size": message(num_bytes=-1),
    "a frame outside of the memory": message(frame=0, shape=[2, 2, 3], offset=1 << 40),
    "a frame before the memory": message(frame=0, shape=[2, 2, 3], offset=-12, num_bytes=12),
    "a frame larger than its bytes": message(bytes(12), frame=0, shape=[900, 900, 3]),
    "a frame without a number": message(bytes(12), frame="0", shape=[2, 2, 3]),
    "an unknown failure": message(error="boring", message=""),
    "a width in words": message(
        shapes=NOTHING, path="", info={"width": "wide"}, timeline={}, finished=True
    ),
    "times that are no numbers": message(
        shapes=NOTHING, path="", info={"warnings": []}, timeline={"fps": math.nan}, finished=True
    ),
}


@pytest.mark.parametrize("lie", LIES.values(), ids=list(LIES))
def test_a_child_that_was_taken_over_is_not_believed(
    clip: Path, process: DecodeProcess, monkeypatch: pytest.MonkeyPatch, lie: bytes
) -> None:
    liar = f"import sys; sys.stdin.readline(); sys.stdout.buffer.write({lie!r}); sys.stdout.flush()"
    replace_child(monkeypatch, liar + "; sys.stdin.readline()")
    with pytest.raises(MediaError) as error:
        list(process.decode(str(clip), FAST, limits=Limits(timeout_seconds=20)))
    assert error.value.kind == "corrupt"
    assert error.value.message == "the decoder sent a malformed answer"
    assert process.pid is None


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ("import os, time; os.close(1); time.sleep(99)", "the decoder fell silent on this file"),
        ("exit(3)", "the decoder ended on this file (exit code 3)"),
    ],
)
def test_a_child_that_says_nothing(
    clip: Path,
    process: DecodeProcess,
    monkeypatch: pytest.MonkeyPatch,
    program: str,
    message: str,
) -> None:
    monkeypatch.setattr(worker, "GRACE_SECONDS", 0.5)
    replace_child(monkeypatch, program)
    with pytest.raises(MediaError) as error:
        process.probe(str(clip), count=True, limits=Limits(timeout_seconds=20))
    assert (error.value.kind, error.value.message) == ("corrupt", message)


def replace_child(monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    """Start another program wherever a decoder is wanted."""
    popen = subprocess.Popen

    def start(arguments: list[str], **options: object) -> object:
        return popen([arguments[0], "-c", program], **options)  # type: ignore[call-overload]

    monkeypatch.setattr(subprocess, "Popen", start)


def test_a_system_that_starts_no_child(
    clip: Path, process: DecodeProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    with pytest.raises(MediaError, match=r"no decoder can be started: .*No such file") as error:
        process.probe(str(clip), count=True, limits=Limits())
    assert error.value.kind == "internal"


@pytest.mark.skipif(sys.platform != "linux", reason="asks /proc")
def test_children_that_are_killed_leave_no_memory_and_no_descriptors(
    clip: Path, process: DecodeProcess
) -> None:
    def held() -> tuple[int, int]:
        maps = Path("/proc/self/maps").read_text()
        return len(os.listdir("/proc/self/fd")), maps.count("memfd:frames")

    gc.collect()  # children of earlier tests that nobody refers to any more
    before = held()
    for _ in range(3):
        events = process.decode(str(clip), DENSE, limits=Limits())
        next(events)
        assert held() > before
        os.kill(process.pid or 0, signal.SIGKILL)
        list(events)
        process.close()
        assert held() == before
