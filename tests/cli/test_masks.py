"""`--task masks` from drawn pictures to figures, tracks and exit codes."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from hiera_cli.checkpoints.detector import save_detector
from hiera_cli.checkpoints.preprocessing import Preprocessing
from hiera_cli.cli.app import make_app
from hiera_cli.model.box_detector import BoxDetector, BoxDetectorConfig
from hiera_cli.model.hiera import Encoder
from tests.coco import CLASSES, write_shapes
from tests.configs import tiny_image
from tests.media import write_blocks

pytest.importorskip("pycocotools")


def hiera(*arguments: object) -> Any:
    return CliRunner().invoke(make_app(), [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("masks")
    for split in ("train", "val"):
        write_shapes(folder / "shapes" / split, num=3, seed=len(split))
    config = tiny_image(64)
    pixels = Preprocessing.for_config(config).to_dict()
    (folder / "image.json").write_text(json.dumps({**config.to_dict(), "preprocessing": pixels}))
    return folder


@pytest.fixture(scope="module")
def detector(place: Path) -> Path:
    result = hiera(
        "finetune", place / "shapes", "--task", "masks", "-m", place / "image.json",
        "--from-scratch", "--out", place / "masks", "--size", 64, "--width", 16, "--head-convs", 1,
        "--proposals", 20, "--epochs", 1, "--batch-size", 3, "--lr", "1e-3", "--workers", 0, "-q",
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    return place / "masks"


def test_boxes_and_masks_are_evaluated(place: Path, detector: Path) -> None:
    common = ("eval", place / "shapes", "-m", detector, "--out", place / "eval", "-q")
    figures = json.loads(hiera(*common, "--task", "masks", "-f", "json").stdout)
    assert figures["masks"].keys() < figures.keys()
    assert figures["masks"]["per_class_ap50"].keys() == {"square", "disc"}
    assert "mask AP50 disc" in hiera(*common, "--task", "masks").stdout
    boxes = json.loads(hiera(*common, "--task", "boxes", "-f", "json").stdout)
    assert boxes["masks"] is None
    assert boxes["ap"] == pytest.approx(figures["ap"])


def test_tracks_have_masks(place: Path, detector: Path) -> None:
    clip = write_blocks(place / "clip.mp4", num_frames=8)
    common = ("detect", clip, "--detector", detector, "--min-score", 0, "--low-score", 0,
              "--rate", 4, "--no-isolate", "-q")  # fmt: skip
    coco = json.loads(hiera(*common, "-f", "coco", "--annotate", place / "film.mp4").stdout)
    assert (place / "film.mp4").stat().st_size > 0
    size = [coco["images"][0]["height"], coco["images"][0]["width"]]
    assert coco["annotations"]
    assert {tuple(entry["segmentation"]["size"]) for entry in coco["annotations"]} == {tuple(size)}
    tracks = [json.loads(line) for line in hiera(*common).stdout.splitlines()]
    assert "segmentation" in tracks[0]["boxes"][0]


def test_what_is_missing_is_said(place: Path) -> None:
    document = place / "shapes" / "val" / "annotations.json"
    bare = place / "bare" / "val" / "annotations.json"
    bare.parent.mkdir(parents=True)
    bare.write_text(document.read_text().replace('"segmentation"', '"shape"'))
    boxes = place / "boxes"
    config = tiny_image(64)
    shape = BoxDetectorConfig(2, channels=16, head_convs=1, proposals=20)
    save_detector(boxes, BoxDetector(Encoder(config), shape), labels=CLASSES,
                  preprocessing=Preprocessing.for_config(config))  # fmt: skip
    for arguments, message in (
        (("eval", place / "shapes", "--task", "masks", "-m", boxes), "finds boxes without masks"),
        (("eval", place / "bare", "--task", "masks", "-m", boxes), "has no segmentation"),
        (("finetune", bare, "--task", "masks", "-m", place / "image.json", "--from-scratch",
          "--out", place / "x"), "has no segmentation"),
    ):  # fmt: skip
        result = hiera(*arguments)
        assert (result.exit_code, message in result.stderr) == (2, True), result.stderr
