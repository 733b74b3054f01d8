"""The commands of detection, from rendered or drawn data to tracks, figures and exit codes."""

import json
import os
import subprocess
import sys

import pytest

from hiera_cli.checkpoints.preprocessing import Preprocessing
from tests.coco import write_shapes
from tests.configs import tiny_image, tiny_video


def hiera(*arguments, cwd, code=0):
    result = subprocess.run(
        [sys.executable, "-m", "hiera_cli", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert result.returncode == code, result.stderr
    assert "Traceback" not in result.stderr
    return result


def write_config(path, config):
    pixels = Preprocessing.for_config(config).to_dict()
    path.write_text(json.dumps({**config.to_dict(), "preprocessing": pixels}))


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Actors in train/ and val/, shapes in shapes/, and two architectures."""
    folder = tmp_path_factory.mktemp("detection")
    small = ("--seconds", 2, "--fps", 8, "--width", 64, "--height", 64)
    hiera("synth", "actors", "actors/train", "-n", 2, "--seed", 1, *small, cwd=folder)
    hiera("synth", "actors", "actors/val", "-n", 2, "--seed", 2, *small, cwd=folder)
    for split in ("train", "val"):
        write_shapes(folder / "shapes" / split, num=3, seed=len(split))
    write_config(folder / "image.json", tiny_image(64))
    write_config(folder / "video.json", tiny_video(32))
    return folder


@pytest.fixture(scope="module")
def detector(place):
    hiera(
        "finetune", "actors", "--task", "boxes", "-m", "image.json", "--from-scratch",
        "--out", "found", "--size", 64, "--width", 16, "--head-convs", 1, "--proposals", 20,
        "--epochs", 1, "--batch-size", 2, "--lr", "1e-3", "--workers", 0, cwd=place,
    )  # fmt: skip
    return place / "found"


@pytest.fixture(scope="module")
def actions(place):
    hiera(
        "finetune", "actors", "--task", "detection", "-m", "video.json", "--from-scratch",
        "--out", "acts", "--epochs", 1, "--batch-size", 2, "--lr", "1e-3", "--optimizer", "adamw",
        "--no-flip", "--workers", 0, cwd=place,
    )  # fmt: skip
    return place / "acts"


def test_boxes_are_evaluated(place, detector):
    result = hiera("eval", "actors", "--task", "boxes", "-m", detector, "--out", "e1",
                   "-f", "json", cwd=place)  # fmt: skip
    figures = json.loads(result.stdout)
    assert figures == json.loads((place / "e1" / "metrics.json").read_text())
    assert (figures["num_pictures"], figures["per_class"].keys()) == (2, {"person"})
    table = hiera("eval", "actors", "--task", "boxes", "-m", detector, "--out", "e1", cwd=place)
    assert "AP50 person" in table.stdout


def test_actions_are_evaluated(place, actions):
    result = hiera("eval", "actors", "--task", "detection", "-m", actions, "--out", "e2",
                   "--view", "whole", "-f", "json", cwd=place)  # fmt: skip
    figures = json.loads(result.stdout)
    assert (figures["view"], figures["boxes"]) == ("whole", "ground truth")
    assert set(figures["per_class"]) == {"walk left", "walk right", "wave", "jump", "fall"}


def test_tracks_of_a_file_of_boxes_with_their_actions(place, actions):
    video = next((place / "actors" / "val" / "videos").iterdir())
    result = hiera("detect", video, "--boxes", "actors/val/frames.csv", "--box-times", "frames",
                   "-m", actions, "--action-score", 0, "--truth", "actors/val/frames.csv",
                   "--annotate", "film.mp4", cwd=place)  # fmt: skip
    assert "people (100.0%) are followed completely" in result.stderr
    film = json.loads(hiera("probe", "film.mp4", "-f", "json", cwd=place).stdout)
    assert (film[0]["num_frames"], film[0]["width"]) == (16, 64)
    tracks = [json.loads(line) for line in result.stdout.splitlines()]
    assert tracks
    assert "1 video of the boxes not among the inputs" in result.stderr
    for number, track in enumerate(tracks):
        assert track.keys() == {"path", "track", "label", "boxes", "actions"}
        assert (track["track"], track["label"]) == (number, "person")
        assert track["boxes"][0].keys() == {"time_seconds", "x1", "y1", "x2", "y2", "score"}
        assert track["boxes"][0]["x2"] <= 64
    acted = [action for track in tracks for action in track["actions"]]
    assert acted[0].keys() == {"start_seconds", "end_seconds", "label", "score"}
    assert {action["label"] for action in acted} <= {
        "walk left", "walk right", "wave", "jump", "fall",
    }  # fmt: skip


@pytest.mark.slow
def test_a_detectors_tracks_in_all_formats(place, detector):
    common = ("detect", "actors/val/videos", "--detector", detector, "--min-score", 0, "--rate", 2)
    for form in ("table", "json", "jsonl", "csv", "coco"):
        shown = hiera(*common, "-f", form, cwd=place).stdout
        hiera(*common, "-f", form, "--out", "tracks.out", cwd=place)
        assert (place / "tracks.out").read_text() == shown
    assert {"images", "annotations", "categories"} == json.loads(
        hiera(*common, "-f", "coco", cwd=place).stdout
    ).keys()


@pytest.mark.slow
def test_what_is_missing_or_wrong_is_said(place, actions, detector):
    video = next((place / "actors" / "val" / "videos").iterdir())
    (place / "pixels.csv").write_text("v,0001,10,20,50,60,,0.9\n")
    (place / "nan.csv").write_text("v,0001,0.1,0.2,nan,0.6,,0.9\n")
    (place / "good.csv").write_text(f"{video.stem},0001,0.1,0.2,0.5,0.6,,0.9\n")
    for arguments, code, message in (
        (("detect", video, "--boxes", "none.csv"), 2, "cannot read 'none.csv'"),
        (("detect", video, "--boxes", "pixels.csv"), 2, "no fractions"),
        (("detect", video, "--boxes", "nan.csv"), 2, "not a finite number"),
        (("detect", video), 2, "--detector MODEL"),
        (("detect", video, "--detector", actions), 2, "no object detector"),
        (("detect", "gone.mp4", "--boxes", "good.csv"), 4, "not_found"),
        (("detect", "gone.mp4", video, "--boxes", "good.csv"), 3, "not_found"),
        (("eval", "nothing", "--task", "boxes", "-m", detector), 2, "no data set"),
        (("eval", "shapes", "--task", "boxes", "-m", detector), 2, "lists square, disc"),
        (("eval", "shapes", "--task", "detection", "-m", actions), 2, "no annotations.csv"),
        (("finetune", "shapes", "--task", "boxes", "-m", "video.json", "--from-scratch",
          "--out", "x"), 2, "image model"),
        (("finetune", "shapes", "--task", "boxes", "-m", "image.json", "--from-scratch",
          "--out", "x", "--size", 80), 5, "multiples of 32 x 32"),
        (("finetune", "shapes", "--task", "boxes", "-m", "image.json", "--from-scratch",
          "--out", "x", "--mixup", 0.5), 2, "--mixup has no meaning"),
    ):  # fmt: skip
        assert message in hiera(*arguments, cwd=place, code=code).stderr
