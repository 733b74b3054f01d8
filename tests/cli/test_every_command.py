"""Every command on a terminal, in a pipe, without a stream, and interrupted."""

import fcntl
import os
import pty
import re
import select
import shutil
import signal
import struct
import termios
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pyte
import pytest

from hiera_cli.cli.app import COMMANDS
from hiera_cli.training.records import MetricsLog, Started
from tests.media import write_blocks
from tests.models import SMALL_VIDEO, save_tiny
from tests.warm import CLOSED, SECONDS, Warm

LINES = 200
REMAINS = re.compile(
    r"(?<![\d:.])\d+:\d\d(?![\d:.])|opening|reading the data set"
)  # a bar has a clock
MODEL = ("-m", "tiny", "--device", "cpu")
FAST = (*MODEL, "--protocol", "fast")
SMALL = ("--width", "64", "--height", "64")
TRAIN = (*MODEL, "--epochs", "2", "--workers", "0")
DECODER = ("--decoder-depth", "1", "--decoder-width", "32", "--decoder-heads", "2")

SLOW = ("synth films", "synth samples")

# What each is called with, where `out` is new each time, and the exit code.
CASES = {
    "classify": (("d", "bad.mp4", *FAST), 3),
    "timeline": (("d", "bad.mp4", *MODEL), 3),
    "probe": (("d", "bad.mp4"), 3),
    "extract-features": (("d", "bad.mp4", *MODEL, "-o", "out/f.parquet"), 3),
    "search": (("table.parquet", "--like", "d/sit/0.mp4", "--device", "cpu"), 0),
    "explore": (("table.parquet", "-o", "out/page"), 0),
    "merge": (("table.parquet", "-o", "out/m.parquet"), 0),
    "verify": (("table.parquet", "--device", "cpu"), 0),
    "eval": (("d", *FAST, "-o", "out/e"), 0),
    "detect": (("d/sit/0.mp4", "bad.mp4", "--boxes", "boxes.csv", "-f", "table"), 3),
    "dataset": (("d", "--html", "out/page.html"), 0),
    "pretrain": (("d", *TRAIN, *DECODER, "-o", "out/p"), 0),
    "fit": (("d", *FAST, "-o", "out/m"), 0),
    "finetune": (("d", *TRAIN, "-o", "out/r"), 0),
    "benchmark": (("d/sit/0.mp4", *MODEL, "--rounds", "1", "--batch-sizes", "1"), 0),
    "export": (("tiny", "--format", "torch-export", "-o", "out/x"), 0),
    "models list": ((), 0),
    "models show": (("hiera_base_16x224",), 0),
    "models download": (("camera-motion",), 0),
    "models verify": (("camera-motion",), 0),
    "curves": (("runs",), 0),
    "synth camera-motion": (("out/v", "-n", "2", *SMALL), 0),
    "synth actors": (("out/v", "-n", "2", "--seconds", "1.5", "--fps", "8"), 0),
    "synth films": (("out/v", "-n", "1", "--plain"), 0),
    "synth samples": (("out/v",), 0),
    "synth start": (("out/v",), 0),
}
EVERY = [
    pytest.param(name, marks=[pytest.mark.slow] if name in SLOW else [], id=name) for name in CASES
]


@dataclass(frozen=True)
class Ended:
    """What became of a command."""

    code: int
    stdout: bytes
    stderr: bytes


def test_none_is_left_out() -> None:
    assert set(CASES) == {name for name, _, _ in COMMANDS}


@pytest.fixture(scope="module")
def warm() -> Iterator[Warm]:
    with Warm() as warm:
        yield warm


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory, warm: Warm) -> Path:
    """A tiny model, two classes of videos, one that is none, boxes, and a table of features."""
    place = tmp_path_factory.mktemp("source")
    save_tiny(place / "tiny", SMALL_VIDEO, labels=("sit", "run along the river", "jump"))
    for seed in range(4):
        name = ("run along the river", "sit")[seed % 2]
        (place / "d" / name).mkdir(parents=True, exist_ok=True)
        write_blocks(place / "d" / name / f"{seed // 2}.mp4", num_frames=30, seed=seed)
    (place / "bad.mp4").write_text("no video")
    (place / "runs" / "0").mkdir(parents=True)
    MetricsLog(place / "runs" / "0" / "metrics.jsonl").append(Started(4, 2, 2, 0, 1000, "cpu"))
    (place / "boxes.csv").write_text("0,0000,0.1,0.2,0.5,0.6,,0.9\n")
    table = ("extract-features", "d", *MODEL, "--scores", "-o", "table.parquet")
    assert piped(warm, place, table).code == 0
    return place


@pytest.fixture
def place(source: Path) -> Path:
    empty(source)
    return source


def empty(place: Path) -> None:
    """Begin with an empty folder for outputs."""
    shutil.rmtree(place / "out", ignore_errors=True)
    (place / "out").mkdir()


def words(name: str) -> tuple[str, ...]:
    return (*name.split(), *CASES[name][0])


def piped(
    warm: Warm,
    place: Path,
    arguments: Sequence[str],
    *,
    closed: Sequence[int] = (),
    unread: bool = False,
    interrupt: float | None = None,
) -> Ended:
    """What a command says into pipes.

    Args:
        warm: who runs it.
        place: where.
        arguments: the command.
        closed: streams (0 to 2) that it does not get.
        unread: whether nobody reads its stdout.
        interrupt: CPU seconds after which it is interrupted.
    """
    ends = {number: os.pipe() for number in (1, 2) if number not in closed}
    nothing = os.open(os.devnull, os.O_RDONLY)
    given = {0: nothing} | {number: theirs for number, (_, theirs) in ends.items()}
    streams = [CLOSED if number in closed else given[number] for number in range(3)]
    if unread:
        os.close(ends.pop(1)[0])
    warm.start(arguments, streams, cwd=place, interrupt=interrupt)
    for descriptor in given.values():
        os.close(descriptor)
    said = {1: b"", 2: b""}
    reading = {end: number for number, (end, _) in ends.items()}
    while reading:
        for end in select.select(list(reading), [], [], SECONDS)[0]:
            data = os.read(end, 1 << 16)
            said[reading[end]] += data
            if not data:
                del reading[end]
                os.close(end)
    return Ended(warm.wait(), said[1], said[2])


class Screen:
    """A command in a pseudo-terminal."""

    def __init__(
        self, warm: Warm, place: Path, arguments: Sequence[str], width: int, **environment: str
    ) -> None:
        self._warm = warm
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, width, 0, 0))
        environment = {"TERM": "xterm-256color"} | environment
        warm.start(arguments, (slave,) * 3, cwd=place, environment=environment)
        os.close(slave)
        self.raw = b""
        self._screen = pyte.Screen(width, LINES)
        self._stream = pyte.ByteStream(self._screen)

    def read(self) -> bool:
        """Take what is written next; whether there was anything."""
        try:
            data = os.read(self._master, 1 << 16)
        except OSError:
            return False
        self.raw += data
        self._stream.feed(data)
        return bool(data)

    def end(self) -> tuple[int, list[str]]:
        """The exit code, and the lines that stay."""
        while self.read():
            pass
        code = self._warm.wait()
        os.close(self._master)
        return code, "\n".join(line.rstrip() for line in self._screen.display).rstrip().split("\n")


def torn(lines: list[str], width: int, raw: bytes) -> list[str]:
    """Lines that the terminal broke within a word, unless that word is wider than it."""
    text = re.sub(rb"\x1b\[[\d;?]*[A-Za-z]", b"", raw).decode(errors="replace")
    return [
        line
        for line, after in pairwise(lines)
        if len(line) == width and " " in line.strip() and line[-9:] + after[:1].strip() in text
        if after[:1].strip()
    ]


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize(("width", "environment"), [(80, {"NO_COLOR": "1"}), (50, {})])
def test_a_screen_is_whole(
    warm: Warm, place: Path, name: str, width: int, environment: dict[str, str]
) -> None:
    screen = Screen(warm, place, words(name), width, **environment)
    code, lines = screen.end()
    assert code == CASES[name][1], lines
    assert any(lines)
    assert not [line for line in lines if REMAINS.search(line)]
    assert not torn(lines, width, screen.raw)
    assert not any("Traceback" in line for line in lines)
    if environment:
        assert not re.search(rb"\x1b\[[\d;]*m", screen.raw)


@pytest.mark.parametrize("name", EVERY)
def test_a_pipe_gets_text_alone_and_an_interrupt_ends_well(
    warm: Warm, place: Path, name: str
) -> None:
    ended = piped(warm, place, words(name))
    assert ended.code == CASES[name][1], ended
    assert not {b"\x1b", b"\r"} & {bytes([b]) for b in ended.stdout + ended.stderr}
    interrupted = 0
    for share in (0.3, 0.6):
        empty(place)
        cut = piped(warm, place, words(name), interrupt=share * warm.cpu_seconds)
        assert cut.code in (130, -signal.SIGINT, CASES[name][1]), cut
        assert b"Traceback" not in cut.stderr
        assert b"Exception ignored" not in cut.stderr
        interrupted += cut.code == 130
    assert interrupted


@pytest.mark.parametrize("name", EVERY)
def test_nobody_reads(warm: Warm, place: Path, name: str) -> None:
    """The reader of stdout is gone before the first byte, as that of `| head` soon is."""
    ended = piped(warm, place, words(name), unread=True)
    assert ended.code in (0, CASES[name][1])
    assert not re.search(rb"Traceback|Exception|[Bb]roken pipe|Errno", ended.stderr), ended.stderr


@pytest.mark.parametrize("name", EVERY)
def test_work_needs_no_stream(warm: Warm, place: Path, name: str) -> None:
    assert piped(warm, place, words(name), closed=(0, 1, 2)).code == CASES[name][1]
