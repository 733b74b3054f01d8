"""Streams that are closed, full or cannot hold a character; outputs that are no regular files."""

import json
import os
import stat
import subprocess
import sys
import threading
from fractions import Fraction
from pathlib import Path

import av
import pytest

from tests.media import draw_frame, write_blocks
from tests.models import SMALL_VIDEO, save_tiny

HIERA = f"{sys.executable} -m hiera_cli"
FAST = "-m tiny --device cpu --protocol fast"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("streams")
    save_tiny(place / "tiny", SMALL_VIDEO)
    (place / "d" / "run").mkdir(parents=True)
    write_blocks(place / "d" / "run" / "é 中.mp4", num_frames=20)
    return place


def shell(place: Path, command: str, **environment: str) -> "subprocess.CompletedProcess[bytes]":
    path = os.pathsep.join(path for path in sys.path if path)
    return subprocess.run(
        ["bash", "-c", command],
        cwd=place,
        capture_output=True,
        timeout=200,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": path} | environment,
    )


@pytest.mark.parametrize("closed", ["2>&-", ">&-", ">&- 2>&- <&-"])
@pytest.mark.parametrize(
    ("command", "made"),
    [
        (f"classify d {FAST} -o out.json", "out.json"),
        (f"extract-features d {FAST} -o out.parquet", "out.parquet"),
        (f"eval d {FAST} -o out-eval", "out-eval/metrics.json"),
    ],
)
def test_work_needs_no_stream(place: Path, closed: str, command: str, made: str) -> None:
    subprocess.run(["rm", "-rf", "out.json", "out.parquet", "out-eval"], cwd=place, check=True)
    assert shell(place, f"{HIERA} {command} {closed}").returncode == 0
    assert (place / made).stat().st_size > 0


def test_stdout_stays_what_it_is_when_stderr_is_closed(place: Path) -> None:
    result = shell(place, f"{HIERA} classify d gone.mp4 {FAST} -f jsonl 2>&-")
    assert result.returncode == 3
    assert len(result.stdout.splitlines()) == 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_full_stderr_changes_no_exit_code(place: Path) -> None:
    result = shell(place, f"{HIERA} classify d gone.mp4 {FAST} -f jsonl 2>/dev/full")
    assert result.returncode == 3


@pytest.mark.parametrize("encoding", ["cp1252", "iso-8859-1", "ascii"])
@pytest.mark.parametrize("form", ["table", "csv", "json"])
def test_characters_that_stdout_lacks_are_replaced(place: Path, encoding: str, form: str) -> None:
    command = f"{HIERA} classify d 中.mp4 {FAST} -f {form}"
    result = shell(place, command, PYTHONIOENCODING=encoding)
    assert result.returncode == 3
    assert b"\\u4e2d" in result.stdout
    assert b"\\u4e2d.mp4" in result.stderr
    if form == "table":
        assert b"\\u2501" not in result.stdout


def node(place: Path) -> Path:
    """A device node of our own, which takes all and gives nothing."""
    path = place / "null-of-our-own"
    if not path.exists():
        try:
            os.mknod(path, 0o600 | stat.S_IFCHR, os.makedev(1, 3))
            path.write_bytes(b"")
        except OSError:
            pytest.skip("may not make a device node here")
    return path


WRITERS = [
    f"classify d {FAST} -f csv -o",
    "probe d -f json -o",
    "models list -f csv -o",
]


@pytest.mark.parametrize("command", WRITERS)
def test_a_device_stays_a_device(place: Path, command: str) -> None:
    path = node(place)
    assert shell(place, f"{HIERA} {command} {path}").returncode == 0
    assert stat.S_ISCHR(path.stat().st_mode)


@pytest.mark.parametrize("command", WRITERS)
def test_a_reader_of_a_fifo_gets_all(place: Path, tmp_path: Path, command: str) -> None:
    pipe, got = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()), daemon=True)
    reader.start()
    assert shell(place, f"{HIERA} {command} {pipe}").returncode == 0
    reader.join(20)
    assert len(got) == 1
    assert len(got[0]) > 50
    assert stat.S_ISFIFO(pipe.stat().st_mode)


@pytest.mark.parametrize("command", [*WRITERS, f"extract-features d {FAST} -o"])
def test_a_link_keeps_pointing_at_what_is_replaced(
    place: Path, tmp_path: Path, command: str
) -> None:
    (tmp_path / "far").mkdir()
    target, link = tmp_path / "far" / "real.out", tmp_path / "link.out"
    if "extract" in command:
        target, link = target.with_suffix(".parquet"), link.with_suffix(".parquet")
    else:
        target.write_text("old")
    link.symlink_to(target)
    assert shell(place, f"{HIERA} {command} {link}").returncode == 0
    assert link.is_symlink()
    assert target.stat().st_size > 50
    assert [path.name for path in target.parent.iterdir()] == [target.name]


def test_a_rate_that_cannot_be_true(place: Path) -> None:
    """90 frames in 90 microseconds: a warning, and the right one with --assume-fps."""
    path = place / "mega.mp4"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.time_base = stream.time_base = Fraction(1, 1_000_000)
        for number in range(90):
            frame = av.VideoFrame.from_ndarray(draw_frame(number, (64, 48)), format="rgb24")
            frame.pts, frame.time_base = number, stream.codec_context.time_base
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    plain = f"{HIERA} probe mega.mp4 -f jsonl"
    record = json.loads(shell(place, plain).stdout)
    assert record["fps"] > 100_000
    assert "--assume-fps" in record["warnings"][0]
    for flags in ("--no-isolate", "--isolate"):
        record = json.loads(shell(place, f"{plain} --assume-fps 25 {flags}").stdout)
        assert (record["fps"], record["duration_seconds"], record["warnings"]) == (25, 3.6, [])
    command = f"{HIERA} classify mega.mp4 {FAST} --assume-fps 30 --isolate -f jsonl"
    assert json.loads(shell(place, command).stdout)["duration_seconds"] == 3.0
