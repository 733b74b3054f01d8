"""`hiera extract-features`, `merge` and `verify` from the outside: exit codes, streams, files."""

import json
import os
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from hiera_cli.cli.app import make_app
from tests.media import write_blocks
from tests.models import SMALL_VIDEO, save_tiny


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny(tmp_path_factory.mktemp("model") / "tiny", SMALL_VIDEO)


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    for index, name in enumerate(["a.mp4", "sub/b.mp4", "-dash.mp4"]):
        write_blocks(tmp_path / "videos" / name, num_frames=20 + index, seed=index)
    return tmp_path / "videos"


def hiera(*arguments: object) -> Result:
    return CliRunner().invoke(make_app(), [str(argument) for argument in arguments])


def extract(model: Path, *arguments: object) -> Result:
    return hiera("extract-features", "-m", model, "--device", "cpu", "--no-isolate", *arguments)


def test_rows_go_to_the_file_and_words_to_stderr(model: Path, videos: Path, tmp_path: Path) -> None:
    result = extract(model, videos, "--out", tmp_path / "f.parquet")

    assert result.exit_code == 0, result.stderr
    assert result.stdout == ""
    assert "6 rows added; 3 videos are in" in result.stderr
    assert pd.read_parquet(tmp_path / "f.parquet").path.tolist() == (
        ["-dash.mp4"] * 2 + ["a.mp4"] * 2 + ["sub/b.mp4"] * 2
    )


@pytest.mark.parametrize(
    ("bad", "good", "code"), [(0, 1, 0), (1, 1, 3), (1, 0, 4)], ids=["good", "some", "all failed"]
)
def test_exit_codes_say_what_became_of_the_inputs(
    model: Path, tmp_path: Path, bad: int, good: int, code: int
) -> None:
    files = [write_blocks(tmp_path / f"{k}.mp4", num_frames=5) for k in range(good)]
    for index in range(bad):
        files.append(tmp_path / f"bad{index}.mp4")
        files[-1].write_bytes(b"bad")
    out = tmp_path / "f.parquet"

    assert extract(model, *files, "-o", out).exit_code == code
    assert extract(model, *files, "-o", out).exit_code == code  # resumed: the failure stands
    assert Path(f"{out}.errors.jsonl").exists() == bool(bad)


def test_usage_errors(model: Path, videos: Path, tmp_path: Path) -> None:
    out = tmp_path / "f.parquet"
    assert extract(model, videos).exit_code == 2
    assert extract(model, tmp_path / "none*", "-o", out).exit_code == 4
    assert extract(model, videos, "-o", out, "--layer", "stage7").exit_code == 2
    assert extract(model, videos, "-o", out, "--on-existing", "ask").exit_code == 2
    assert extract(model, videos, "-o", out, "--rows-per-shard", "5").exit_code == 2
    assert extract(model, videos, "-o", out, "--shard", "7/2").exit_code == 2
    assert not out.exists()
    assert not Path(f"{out}.partial").exists()


def test_changed_settings_are_refused_by_name(model: Path, videos: Path, tmp_path: Path) -> None:
    out = tmp_path / "f.parquet"
    extract(model, videos, "-o", out)
    result = extract(model, videos, "-o", out, "--pool", "max")
    assert result.exit_code == 2
    assert 'pool was "mean", now "max"' in result.stderr
    assert extract(model, videos, "-o", out, "--on-existing", "error").exit_code == 2


def test_an_output_that_cannot_be_written(model: Path, videos: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = extract(model, videos, "-o", tmp_path / "file" / "f.parquet")
    assert result.exit_code == 1
    assert "cannot write" in result.stderr
    assert "hint: choose an --out" in result.stderr


def test_a_dry_run_writes_nothing(model: Path, videos: Path, tmp_path: Path) -> None:
    out = tmp_path / "f.parquet"
    extract(model, videos, "-o", out, "--shard", "1/3")
    before = sorted(tmp_path.iterdir())
    (videos / "c.mp4").write_bytes(b"bad")

    result = extract(model, videos, "-o", out, "--dry-run", "-f", "json")
    told = json.loads(result.stdout)

    assert (told["num_videos"], told["num_finished"], told["num_unreadable"]) == (4, 1, 1)
    assert told["num_clips"] == 4
    assert told["output_bytes"] == 4 * (4 + 8 + 8 + 64 * 4)
    assert told["clips_per_second"] > 0
    assert sorted(tmp_path.iterdir()) == before
    assert "clips         4" in extract(model, videos, "-o", out, "--dry-run").stdout


def test_parts_merge_to_the_whole(model: Path, videos: Path, tmp_path: Path) -> None:
    extract(model, videos, "-o", tmp_path / "whole.parquet")
    for share in ("0/2", "1/2"):
        name = f"part-{share[0]}.parquet"
        assert extract(model, videos, "-o", tmp_path / name, "--shard", share).exit_code == 0
    parts = tmp_path / "part-0.parquet", tmp_path / "part-1.parquet"

    result = hiera("merge", *parts, "--out", tmp_path / "merged.parquet")

    assert result.exit_code == 0, result.stderr
    whole, merged = (pd.read_parquet(tmp_path / f"{n}.parquet") for n in ("whole", "merged"))
    assert merged.path.tolist() == whole.path.tolist()
    assert hiera("merge", *parts, "--out", tmp_path / "merged.parquet").exit_code == 2
    again = hiera(
        "merge", *parts, "--out", tmp_path / "merged.parquet", "--on-existing", "overwrite"
    )
    assert again.exit_code == 0


def test_verify_finds_a_changed_video(model: Path, videos: Path, tmp_path: Path) -> None:
    out = tmp_path / "f.parquet"
    extract(model, videos, "-o", out)

    result = hiera("verify", out, "--device", "cpu", "-f", "json")
    assert result.exit_code == 0, result.stderr
    told = json.loads(result.stdout)
    assert len(told["rows"]) == 6
    assert told["largest_deviation"] < 1e-5

    write_blocks(videos / "a.mp4", num_frames=20, seed=99)
    changed = hiera("verify", out, "--device", "cpu")
    assert changed.exit_code == 1
    assert "differs: a.mp4 clip 0" in changed.stderr
    (videos / "a.mp4").unlink()
    assert hiera("verify", out, "--device", "cpu").exit_code == 3
    assert hiera("verify", tmp_path / "none.parquet").exit_code == 2


def test_verify_finds_moved_videos(model: Path, videos: Path, tmp_path: Path) -> None:
    out = tmp_path / "f.parquet"
    extract(model, videos, "-o", out)
    os.rename(videos, tmp_path / "moved")
    result = hiera("verify", out, "--device", "cpu", "--root", tmp_path / "moved", "--sample", 2)
    assert result.exit_code == 0, result.stderr
    assert "2 rows checked" in result.stdout


def test_rows_for_boxes_are_searched_by_their_number(
    model: Path, videos: Path, tmp_path: Path
) -> None:
    boxes, out = tmp_path / "boxes.csv", tmp_path / "f.parquet"
    boxes.write_text("a,0,0,0,0.5,1,,1\na,0,0.5,0,1,1,,2\nb,0,0,0,0.5,1,,1\ngone,0,0,0,1,1,,1\n")
    common = (videos, "-o", out, "--layer", "stage1", "--boxes", boxes)
    result = extract(model, *common)
    assert result.exit_code == 0, result.stderr
    assert "1 video of the boxes not among the inputs" in result.stderr
    assert "1 video without boxes" in result.stderr
    assert "3 rows added; 2 videos are in" in result.stderr
    found = hiera("search", out, "--like-row", 0, "-k", 5, "-f", "json")
    rows = [(row["path"], row["clip_index"]) for row in json.loads(found.stdout)]
    assert sorted(rows) == [("a.mp4", 1), ("sub/b.mp4", 0)]
    for refused in (("search", out, "--like", videos / "a.mp4"), ("verify", out)):
        assert "holds boxes" in hiera(*refused).stderr
    parts = [tmp_path / f"part{k}.parquet" for k in range(2)]
    for k, part in enumerate(parts):
        shared = (videos, "-o", part, "--layer", "stage1", "--boxes", boxes)
        assert extract(model, *shared, "--shard", f"{k}/2").exit_code == 0
    assert hiera("merge", *parts, "-o", tmp_path / "m.parquet").exit_code == 0
    assert pd.read_parquet(tmp_path / "m.parquet").equals(pd.read_parquet(out))


def test_boxes_that_are_missing_or_mean_nothing(model: Path, videos: Path, tmp_path: Path) -> None:
    out, boxes = tmp_path / "f.parquet", tmp_path / "boxes.csv"
    boxes.write_text("other,0,0,0,0.5,1,,1\n")
    for more, code, message in (
        (("--boxes", tmp_path / "none.csv"), 2, "cannot read"),
        (("--boxes", boxes), 4, "has no boxes of these videos"),
        (("--boxes", boxes, "--dry-run"), 2, "--dry-run has no meaning"),
        (("--boxes", boxes, "--devices", "0,1"), 2, "--devices has no meaning"),
        (("--per", "track"), 2, "need --boxes"),
    ):
        result = extract(model, videos, "-o", out, *more)
        assert (result.exit_code, message in result.stderr) == (code, True), result.stderr
    assert not out.exists()
