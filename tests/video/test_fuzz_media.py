"""Any bytes in: a damaged file ends in a result or in a failure of a known kind, in time.

A short run by default; `HIERA_FUZZ_MINUTES=10 pytest tests/video/test_fuzz_media.py` for a long
one, `HIERA_FUZZ_SEED=1` for other files. The number of a file and the seed decide its bytes.
"""

import json
import math
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from random import Random
from typing import get_args

import numpy as np
import pytest

from hiera_cli.errors import FailureKind, MediaError
from hiera_cli.video.decode import Finished, Frame, Limits, Planned, VideoInfo, probe
from hiera_cli.video.isolation.parent import DecodeProcess
from hiera_cli.video.isolation.worker import GRACE_SECONDS
from hiera_cli.video.protocols import PROTOCOLS
from tests.video.clips import shared_clips, tiny_clips
from tests.video.mutation import mutate

MINUTES = float(os.environ.get("HIERA_FUZZ_MINUTES", "0"))
SEED = int(os.environ.get("HIERA_FUZZ_SEED", "0"))
SHORT_RUN = 400
LIMITS = Limits(max_pixels=1_000_000, timeout_seconds=5.0)
MAX_CHILD_BYTES = 1 << 30
DIRECT_EVERY = 10
OUTCOMES = {"ok", "warned", *get_args(FailureKind)} - {"internal"}


@dataclass(frozen=True)
class Damaged:
    """One damaged file: the clip it was made from and its number."""

    clip: str
    number: int
    path: Path


@dataclass
class Account:
    """What became of the files so far."""

    outcomes: Counter[str] = field(default_factory=Counter)
    slowest_seconds: float = 0.0
    largest_child_bytes: int = 0
    findings: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{self.outcomes.total()} files: {dict(self.outcomes.most_common())}; slowest "
            f"{self.slowest_seconds:.1f} s, largest child {self.largest_child_bytes >> 20} MiB, "
            f"{len(self.findings)} findings"
        )


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Sequence[tuple[str, bytes]]:
    own = list(tiny_clips(tmp_path_factory.mktemp("clips")))
    assert len(own) > 10
    return [*own, *shared_clips()]


def damaged_files(clips: Sequence[tuple[str, bytes]], folder: Path) -> Iterator[Damaged]:
    """Files one after the other under one name; what is to be kept must be moved."""
    number, until = 0, time.monotonic() + 60 * MINUTES
    while number < SHORT_RUN or time.monotonic() < until:
        random = Random(f"{SEED}:{number}")
        name, content = clips[number % len(clips)]
        path = folder / f"damaged{Path(name).suffix}"
        path.write_bytes(mutate(content, random.choice(clips)[1], random))
        yield Damaged(name, number, path)
        number += 1


def outcome(process: DecodeProcess, file: Damaged, account: Account) -> str:
    """What becomes of one file in the child: `ok`, `warned`, or the kind of its failure."""
    forget_peak(process)
    began, message = time.monotonic(), ""
    try:
        info = process.probe(str(file.path), count=file.number % 3 > 0, limits=LIMITS)
        check_info(info)
        check_events(process, file)
        found = "warned" if info.warnings else "ok"
    except MediaError as error:
        found = error.kind
        message = error.message
    assert found in OUTCOMES, f"{found}: {message}"
    assert "on this file" not in message, message
    seconds, peak = time.monotonic() - began, peak_bytes(process)
    account.slowest_seconds = max(account.slowest_seconds, seconds)
    account.largest_child_bytes = max(account.largest_child_bytes, peak)
    assert seconds < 2 * (LIMITS.timeout_seconds or 0) + GRACE_SECONDS, f"{seconds:.1f} s"
    assert peak < MAX_CHILD_BYTES, f"the child took {peak >> 20} MiB"
    return found


def check_info(info: VideoInfo) -> None:
    """The record can be written, and its figures mean something."""
    times = info.timeline.times_seconds
    facts = replace(info, timeline=None)  # type: ignore[arg-type]
    json.dumps(asdict(facts), allow_nan=False).encode()
    assert info.num_frames == len(times) > 0
    assert np.all(np.isfinite(times))
    assert np.all(np.diff(times) >= 0)
    assert math.isfinite(info.fps)
    assert info.fps > 0
    assert math.isfinite(info.duration_seconds)
    assert info.duration_seconds > 0
    assert 0 < info.width * info.height <= LIMITS.max_pixels
    assert info.rotation in (0, 90, 180, 270)


def check_events(process: DecodeProcess, file: Damaged) -> None:
    """Every frame that the clips name was delivered, and is a picture."""
    protocol = PROTOCOLS[("fast", "dense", "balanced")[file.number % 7 % 3]]
    delivered: set[int] = set()
    with closing(process.decode(str(file.path), protocol, limits=LIMITS)) as events:
        for event in events:
            if isinstance(event, Planned):
                delivered = set()
            elif isinstance(event, Frame):
                assert event.rgb.ndim == 3
                assert event.rgb.size > 0
                delivered.add(event.frame_index)
    assert isinstance(event, Finished)
    check_info(event.info)
    assert delivered == {index for clip in event.clips for index in clip.frame_indices}


def check_directly(file: Damaged, found: str) -> None:
    """In this process it is the same."""
    kind = None
    try:
        check_info(probe(str(file.path), limits=LIMITS))
    except MediaError as error:
        kind = error.kind
    assert kind == (None if found in ("ok", "warned") else found), f"{kind} here, {found} there"


def forget_peak(process: DecodeProcess) -> None:
    if process.pid is not None and Path(f"/proc/{process.pid}/clear_refs").exists():
        Path(f"/proc/{process.pid}/clear_refs").write_text("5")


def peak_bytes(process: DecodeProcess) -> int:
    """The most memory that the child held since `forget_peak`; 0 where nobody can tell."""
    status = Path(f"/proc/{process.pid}/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return sum(1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


@pytest.mark.timeout(300 + 90 * MINUTES)
def test_damaged_files_end_in_a_result_or_a_known_failure(
    clips: Sequence[tuple[str, bytes]],
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    tell: Callable[[str], None],
) -> None:
    account = Account()
    capfd.readouterr()
    with closing(DecodeProcess()) as process:
        for file in damaged_files(clips, tmp_path):
            try:
                found = outcome(process, file, account)
                if file.number % DIRECT_EVERY == 0 and found != "timeout":
                    check_directly(file, found)
                assert capfd.readouterr() == ("", ""), "noise"
            except Exception as error:
                found = "finding"
                kept = file.path.rename(tmp_path / f"{SEED}-{file.number}-{file.clip}")
                account.findings.append(f"{kept}: {type(error).__name__}: {str(error)[:300]}")
            account.outcomes[found] += 1
    if MINUTES:
        tell(str(account))
    assert not account.findings, "\n".join([str(account), *account.findings])
