"""The wall clock may jump: limits and waits go by the steady one."""

import ast
import itertools
import time
from contextlib import closing
from pathlib import Path

import pytest

from hiera_cli.video.decode import Limits, decode_video, probe
from hiera_cli.video.isolation.parent import DecodeProcess
from hiera_cli.video.protocols import PROTOCOLS
from tests.media import write_clip

PACKAGE = Path(__file__).parents[1] / "hiera_cli"
WALL_CLOCKS = {"time.time", "time.time_ns", "datetime.now", "datetime.utcnow", "datetime.today"}
DATED = {"report/bundle.py", "report/dataset_page.py"}  # say when they were written


def test_only_what_bears_a_date_asks_for_it() -> None:
    asking = {
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and ast.unparse(node) in WALL_CLOCKS
    }
    assert asking == DATED


def test_a_clock_that_jumps_is_no_timeout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clip = str(write_clip(tmp_path / "clip.mp4", 60))
    years = itertools.cycle((0.0, 3e9, -3e9, 1e8))
    monkeypatch.setattr(time, "time", lambda: 1.7e9 + next(years))
    monkeypatch.setattr(time, "time_ns", lambda: int(1e9 * time.time()))
    limits = Limits(timeout_seconds=20.0)
    here = [type(event) for event in decode_video(clip, PROTOCOLS["dense"], limits=limits)]
    with closing(DecodeProcess()) as process:
        there = [type(e) for e in process.decode(clip, PROTOCOLS["dense"], limits=limits)]
        assert process.probe(clip, count=True, limits=limits).num_frames == 60
    assert here == there
    assert probe(clip, limits=limits).num_frames == 60
