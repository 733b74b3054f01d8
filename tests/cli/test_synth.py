"""`hiera synth`, and the walk from rendered clips to a model that names camera movements."""

import json
import os
import subprocess
import sys

import pytest

CENTER_VIEW = ("--protocol", "fast")


def hiera(*arguments, cwd):
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    result = subprocess.run(
        [sys.executable, "-m", "hiera_cli", *arguments],
        capture_output=True,
        text=True,
        cwd=cwd,
        env=environment,
    )
    assert result.returncode == 0, result.stderr
    return result


def test_camera_motion_says_what_it_made(tmp_path):
    result = hiera("synth", "camera-motion", "clips", "-n", "3", "--width", "48", "--height", "32",
                   cwd=tmp_path)  # fmt: skip
    assert result.stdout == ""
    assert "3 videos in clips" in result.stderr
    assert sorted(p.parent.name for p in tmp_path.rglob("*.mp4")) == [
        "pan_left", "pan_right", "static",
    ]  # fmt: skip


@pytest.mark.slow
def test_walk_through(tmp_path):
    """Render, fine-tune the head of the start for a minute, evaluate: far above chance."""
    hiera("synth", "camera-motion", "train", "-n", "600", "--seed", "1", cwd=tmp_path)
    hiera("synth", "camera-motion", "val", "-n", "100", "--seed", "2", cwd=tmp_path)
    hiera("synth", "start", "start", cwd=tmp_path)
    hiera(
        "finetune", "train", "-m", "start", "--val", "val", "--freeze-backbone", "--out", "run",
        "--epochs", "6", "--batch-size", "32", "--repeats", "1", "--lr", "5e-3", "--mixup", "0",
        "--cutmix", "0", "--magnitude", "0", "--layer-decay", "1", "--head-dropout", "0",
        "--drop-path", "0", "--no-flip", "--cache", "cache", "--workers", "0",
        cwd=tmp_path,
    )  # fmt: skip
    lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    losses = [row["loss"] for row in rows if "loss" in row]
    assert sum(losses[-10:]) < 0.85 * sum(losses[:10])
    hiera("eval", "val", "-m", "run/last", *CENTER_VIEW, "--out", "results", cwd=tmp_path)
    assert json.loads((tmp_path / "results" / "metrics.json").read_text())["top1"] > 0.4


@pytest.mark.parametrize("protocol", ["fast", "balanced"])
def test_the_bundled_model_knows_the_sample_videos(tmp_path, pytestconfig, protocol):
    hiera("eval", str(pytestconfig.rootpath / "sample_videos"), "-m", "camera-motion",
          "--protocol", protocol, "--offline", "--out", "results", cwd=tmp_path)  # fmt: skip
    metrics = json.loads((tmp_path / "results" / "metrics.json").read_text())
    assert (metrics["top1"], metrics["num_evaluated"]) == (1.0, 12)
