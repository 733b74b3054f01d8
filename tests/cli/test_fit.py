"""`hiera fit` as people and scripts see it."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from hiera_cli.cli.app import make_app
from tests.media import write_frames
from tests.models import save_tiny


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Bright and dark noise, one broken file, and two bright clips that are said to be dark."""
    root = tmp_path_factory.mktemp("data")
    for name, low, count in (("bright", 120, 9), ("dark", 0, 6)):
        for index in range(count):
            rng = np.random.default_rng([low, index])
            frames = rng.integers(low, low + 100, (12, 48, 64, 3), dtype=np.uint8)
            write_frames(root / name / f"{index}.mp4", frames)
    (root / "bright" / "8.mp4").rename(root / "dark" / "wrong.mp4")
    (root / "dark" / "broken.mp4").write_bytes(b"no video")
    return root


def hiera(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(make_app(), list(map(str, arguments)))
    return result.exit_code, result.stdout, result.stderr


def test_a_table_says_what_to_expect(data: Path, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "mine"
    code, said, told = hiera("fit", data, "-m", model, "--out", out, "--device", "cpu")
    assert code == 3
    assert "16 videos of 2 classes: bright 8, dark 8" in told
    assert f"failed: {data}/dark/broken.mp4" in told
    assert f"try it: hiera classify VIDEO -m {out}" in told
    lines = [line.split() for line in said.splitlines()]
    assert ["videos", "15,", "1", "failed,", "0", "missing"] in lines
    assert ["to", "beat", "53.3%", "(always", "the", "largest", "class)"] in lines
    assert any(line[:1] == ["balanced"] and "95" in line[2] for line in lines if len(line) > 2)
    assert ["0", "bright", "8", "8", "0"] in lines
    assert ["1", "dark", "7", "1", "6"] in lines
    assert "dark/wrong.mp4: dark, or bright?" in said
    code, said, _ = hiera("classify", data / "bright" / "0.mp4", "-m", out, "-f", "json")
    assert json.loads(said)[0]["predictions"][0]["label"] == "bright"


def test_json_is_one_object_on_stdout(data: Path, model: Path, tmp_path: Path) -> None:
    code, said, _ = hiera("fit", data, "-m", model, "-o", tmp_path / "m", "-f", "json", "-q")
    values = json.loads(said)
    assert code == 3
    assert values["num_videos"] == 15
    assert values["num_failed"] == 1
    assert values["val"] is None
    assert values["doubtful"][0]["path"] == "dark/wrong.mp4"


def test_nearest_neighbours_with_names_for_numbers(data: Path, model: Path, tmp_path: Path) -> None:
    files = sorted(data.rglob("[0-9].mp4"))
    listed = [f"{file} {int(file.parent.name == 'dark')}" for file in files]
    (tmp_path / "list.txt").write_text("\n".join(listed) + "\n")
    (tmp_path / "names.txt").write_text("light\nshade\n")
    code, said, told = hiera(
        "fit", tmp_path / "list.txt", "--class-names", tmp_path / "names.txt", "-m", model,
        "--head", "knn", "--out", tmp_path / "mine", "--device", "cpu",
    )  # fmt: skip
    assert code == 0
    assert "14 videos of 2 classes: light 8, shade 6" in told
    assert "nearest" in said
    assert json.loads((tmp_path / "mine" / "config.json").read_text())["labels"] == [
        "light",
        "shade",
    ]


def test_one_class_is_refused(data: Path, model: Path, tmp_path: Path) -> None:
    listed = [f"{file} 0" for file in sorted((data / "bright").iterdir())]
    (tmp_path / "list.txt").write_text("\n".join(listed) + "\n")
    code, said, told = hiera("fit", tmp_path / "list.txt", "-m", model, "-o", tmp_path / "m")
    assert (code, said) == (2, "")
    assert "error: all videos are of one class, 0" in told
    assert "hint: a classifier needs two classes" in told
    assert not (tmp_path / "m").exists()
