"""What is on the screen: commands in a pseudo-terminal, read by a terminal emulator."""

import fcntl
import os
import pty
import shutil
import struct
import sys
import termios
from pathlib import Path

import pyte
import pytest

from hiera_cli.cli.bar import Bar
from hiera_cli.cli.width import columns_of, shorten
from tests.media import write_blocks
from tests.models import SMALL_VIDEO, save_tiny

LINES = 60


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model, and class folders with a few videos and one that is none."""
    place = tmp_path_factory.mktemp("terminal")
    save_tiny(place / "tiny", SMALL_VIDEO)
    for index, name in enumerate(("run", "sit")):
        (place / "d" / name).mkdir(parents=True)
        write_blocks(place / "d" / name / f"{index}.mp4", num_frames=20)
        shutil.copy(place / "d" / name / f"{index}.mp4", place / "d" / name / "again.mp4")
    (place / "bad.mp4").write_text("no video")
    return place


def run(place: Path, width: int, *arguments: str) -> tuple[int, list[str], bool]:
    """Exit code, the screen's lines at the end, and whether a bar was seen meanwhile."""
    process, descriptor = pty.fork()
    if process == 0:
        os.chdir(place)
        os.environ |= {"TERM": "xterm-256color", "OMP_NUM_THREADS": "1"}
        os.environ["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
        os.execv(sys.executable, [sys.executable, "-m", "hiera_cli", *arguments])
    fcntl.ioctl(descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, width, 0, 0))
    screen = pyte.Screen(width, LINES)
    stream = pyte.ByteStream(screen)
    was_drawn = False
    while True:
        try:
            data = os.read(descriptor, 1 << 16)
        except OSError:
            break
        if not data:
            break
        stream.feed(data)
        was_drawn |= any("opening" in line or "0:0" in line for line in screen.display)
    os.close(descriptor)
    _, status = os.waitpid(process, 0)
    lines = [line.rstrip() for line in screen.display]
    while lines and not lines[-1]:
        lines.pop()
    return os.waitstatus_to_exitcode(status), lines, was_drawn


def clean(lines: list[str]) -> bool:
    """Whether no line holds what is left of a bar."""
    return not any(mark in line for line in lines for mark in ("0:0", "opening"))


MODEL = ("-m", "tiny", "--device", "cpu", "--protocol", "fast")


@pytest.mark.parametrize("width", [80, 50])
def test_classify(place: Path, width: int) -> None:
    code, lines, was_drawn = run(place, width, "classify", "d", "bad.mp4", *MODEL, "-k", "1")
    assert (code, was_drawn, clean(lines)) == (3, True, True)
    headings = [line for line in lines if line.startswith("d/")]
    assert [line.split()[0] for line in headings] == [
        "d/run/0.mp4",
        "d/run/again.mp4",
        "d/sit/1.mp4",
        "d/sit/again.mp4",
    ]
    assert sum("%" in line for line in lines) == 4
    assert sum(line.startswith("failed: bad.mp4: ") for line in lines) == 1
    assert len(lines) <= 4 + 4 + 2


@pytest.mark.parametrize("width", [80, 50])
def test_headings_are_shortened(place: Path, width: int) -> None:
    folder = place / "long"
    folder.mkdir(exist_ok=True)
    name = folder / f"{'x' * 100}.mp4"
    shutil.copy(place / "d" / "run" / "0.mp4", name)
    code, lines, _ = run(place, width, "classify", str(name), *MODEL, "-k", "1")
    assert code == 0
    assert len(lines) == 2
    assert "…" in lines[0]
    assert lines[0].endswith("x96") or " s, " in lines[0]


@pytest.mark.parametrize("width", [80, 50, 20])
@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("probe", "d"), 0),
        (("extract-features", "d", "bad.mp4", *MODEL, "-o", "{}.parquet"), 3),
        (("eval", "d", *MODEL, "-o", "{}-eval"), 0),
        (("finetune", "d", "-m", "tiny", "--device", "cpu", "--epochs", "2", "-o", "{}-run"), 0),
        (("models", "list"), 0),
    ],
)
def test_no_command_leaves_a_trace_of_a_bar(
    place: Path, width: int, arguments: tuple[str, ...], expected: int
) -> None:
    named = [argument.format(width) for argument in arguments]
    code, lines, _ = run(place, width, *named)
    assert (code, clean(lines)) == (expected, True), lines
    if arguments[0] == "finetune":
        assert sum(line.startswith("epoch  ") for line in lines) >= 2


def test_a_bar_fits_any_width() -> None:
    bar = Bar(12, "videos", label="a long label of a file", done=5, note=lambda: "top-1 50.0%")
    bar.clock = lambda: 60.0
    for width in range(1, 120):
        assert columns_of(bar.text(width)) <= width
    assert "5/12 videos" in bar.text(40)
    assert bar.text(100).endswith("top-1 50.0%")


def test_texts_are_shortened_in_the_middle() -> None:
    assert shorten("abcdefghij", 10) == "abcdefghij"
    assert shorten("abcdefghij", 7) == "abc…hij"
    assert shorten("中中中中", 5) == "中…中"
    assert shorten("abc", 1) == "…"
