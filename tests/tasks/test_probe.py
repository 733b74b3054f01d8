import json
import subprocess
import sys
from dataclasses import asdict, fields
from pathlib import Path

import pytest

from hiera_cli.errors import Failure, UsageError
from hiera_cli.options import ProbeOptions
from hiera_cli.tasks.probe import ProbeRecord, View, probe
from tests.media import write_clip

KEYS = [
    "path", "container", "codec", "pixel_format", "width", "height", "rotation", "num_frames",
    "fps", "variable_frame_rate", "duration_seconds", "start_seconds", "warnings", "views",
]  # fmt: skip


def test_the_keys_are_those_of_the_contract() -> None:
    assert [field.name for field in fields(ProbeRecord)] == KEYS
    assert [field.name for field in fields(View)] == [
        "clip",
        "crop",
        "frame_indices",
        "times_seconds",
    ]


def test_a_record(tmp_path: Path) -> None:
    path = str(write_clip(tmp_path / "clip.mp4", 100, 25))
    (record,) = probe(path, options=ProbeOptions(protocol="paper"))
    assert isinstance(record, ProbeRecord)
    assert (record.path, record.codec, record.pixel_format) == (path, "h264", "yuv420p")
    assert (record.width, record.height, record.rotation) == (208, 64, 0)
    assert (record.num_frames, record.fps, record.variable_frame_rate) == (100, 25.0, False)
    assert (record.start_seconds, record.duration_seconds) == (0.0, pytest.approx(4.0))
    assert record.warnings == ()
    assert [(view.clip, view.crop) for view in record.views[:4]] == [(0, 0), (0, 1), (0, 2), (1, 0)]
    assert len(record.views) == 15
    assert record.views[3].frame_indices[0] == 11  # floor((100 - 64 / 30 * 25) / 4)
    assert record.views[3].times_seconds[0] == pytest.approx(11 / 25)
    assert json.loads(json.dumps(asdict(record)))["views"][3]["clip"] == 1


def test_a_bad_file_stops_nothing(tmp_path: Path) -> None:
    good = str(write_clip(tmp_path / "good.mp4", 3))
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(b"nothing")
    missing = str(tmp_path / "missing.mp4")
    first, second, third = probe([str(bad), missing, good])
    assert (first.path, first.kind) == (str(bad), "not_a_video")  # type: ignore[union-attr]
    assert isinstance(second, Failure)
    assert second.kind == "not_found"
    assert isinstance(third, ProbeRecord)
    assert third.num_frames == 3


def test_options_are_checked_at_once() -> None:
    with pytest.raises(UsageError, match="--protocol"):
        probe("x.mp4", options=ProbeOptions(protocol="slow"))
    with pytest.raises(UsageError, match="--clips"):
        probe("x.mp4", options=ProbeOptions(clips=0))


def test_limits_are_passed_on(tmp_path: Path) -> None:
    path = str(write_clip(tmp_path / "clip.mp4", 3))
    (small,) = probe(path, options=ProbeOptions(max_pixels=1000))
    assert (small.path, small.kind) == (path, "too_large")  # type: ignore[union-attr]
    (slow,) = probe(path, options=ProbeOptions(timeout=1e-9))
    assert slow.kind == "timeout"  # type: ignore[union-attr]
    (unlimited,) = probe(path, options=ProbeOptions(timeout=0))
    assert isinstance(unlimited, ProbeRecord)


def test_no_torch(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", 3)
    code = (
        "import sys; from hiera_cli.tasks.probe import probe\n"
        f"assert len(list(probe({str(path)!r}))) == 1\n"
        "print('torch' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (result.stdout.strip(), result.stderr) == ("False", "")
