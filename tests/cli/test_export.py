from pathlib import Path

import pytest
from typer.testing import CliRunner

from hiera_cli.cli.app import make_app
from hiera_cli.cli.export import spread
from hiera_cli.inputs import InputPath

FILES = [InputPath(f"{index}.mp4", f"{index}.mp4") for index in range(10)]


@pytest.mark.parametrize(
    ("num_views", "expected"),
    [(1, [0]), (4, [0, 5]), (8, [0, 2, 5, 7]), (20, list(range(10))), (64, list(range(10)))],
)
def test_clips_are_taken_from_the_whole_list(num_views: int, expected: list[int]) -> None:
    assert spread(FILES, num_views) == [FILES[index] for index in expected]


def test_it_says_how_the_export_is_used(tmp_path: Path) -> None:
    for package in ("onnx", "onnxruntime", "onnxscript"):
        pytest.importorskip(package)
    command = ["export", "camera-motion", "--format", "onnx", "--cache-dir", str(tmp_path)]
    done = CliRunner().invoke(make_app(), command)
    assert done.exit_code == 0, done.stderr
    assert Path(done.stdout.strip()).is_relative_to(tmp_path)
    compared, use = done.stderr.splitlines()[-2:]
    assert "same top-1 on 100% of" in compared
    assert use == "use it with --backend onnx"
