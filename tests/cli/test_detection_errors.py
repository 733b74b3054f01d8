"""What is missing or wrong in detection's files: an error that names it, or a counted record."""

import json

import pytest
from typer.testing import CliRunner

from hiera_cli.checkpoints.preprocessing import Preprocessing
from hiera_cli.cli.app import make_app
from tests.configs import tiny_video
from tests.media import write_blocks
from tests.models import save_tiny

LIST = 'item { name: "run" id: 1 }\nitem { name: "sit" id: 2 }\n'
GOOD = "a,1,0.1,0.2,0.6,0.9,1,0\na,1,0.5,0.2,0.9,0.9,2,1\nb,1,0.1,0.2,0.6,0.9,1,0\n"


def hiera(*arguments):
    return CliRunner().invoke(make_app(), [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return save_tiny(tmp_path_factory.mktemp("model") / "acts", tiny_video(), labels=("run", "sit"))


@pytest.fixture
def data(tmp_path):
    """A folder of AVA's shape: two videos of two seconds."""
    for split in ("train", "val"):
        folder = tmp_path / "ava" / split
        for index, name in enumerate("ab"):
            write_blocks(folder / "videos" / f"{name}.mp4", num_frames=60, seed=index)
        (folder / "annotations.csv").write_text(GOOD)
        (folder / "actions.pbtxt").write_text(LIST)
    return tmp_path / "ava"


def evaluate(data, model):
    return hiera("eval", data, "--task", "detection", "-m", model, "--no-isolate", "--device",
                 "cpu", "--out", data.parent / "results", "-f", "json")  # fmt: skip


def finetune(data):
    config = tiny_video()
    pixels = Preprocessing.for_config(config).to_dict()
    (data.parent / "tiny.json").write_text(
        json.dumps({**config.to_dict(), "preprocessing": pixels})
    )
    return hiera("finetune", data, "--task", "detection", "-m", data.parent / "tiny.json",
                 "--from-scratch", "--out", data.parent / "run", "--epochs", 1, "--batch-size", 2,
                 "--lr", "1e-3", "--optimizer", "adamw", "--no-flip", "--workers", 0,
                 "--no-isolate", "--device", "cpu")  # fmt: skip


@pytest.mark.parametrize(
    ("name", "text", "code", "message"),
    [
        ("annotations.csv", None, 2, "no annotations.csv"),
        ("actions.pbtxt", None, 2, "no actions.pbtxt"),
        (
            "annotations.csv",
            "a,1,0.1,0.2,1.3,0.9,1,0\n",
            2,
            "line 1: the box 0.1,0.2,1.3,0.9",
        ),
        ("annotations.csv", "a,1,-0.2,0.2,0.3,0.9,1,0\n", 2, "reaches outside the frame"),
        ("annotations.csv", GOOD + "a,1,nan,0.2,0.3,0.9,1,0\n", 2, "line 4: 'nan' is not"),
        ("annotations.csv", "a,1,inf,0.2,0.3,0.9,1,0\n", 2, "'inf' is not a finite"),
        ("annotations.csv", "a,1,10,20,30,40,1,0\n", 2, "these look like pixels"),
        ("annotations.csv", "a,1,0.3,0.2,0.3,0.9,1,0\n", 2, "has no area"),
        ("annotations.csv", "a,1,0.1,0.2,0.3,0.9,7,0\n", 2, "actions that the list lacks: 7"),
        ("annotations.csv", "", 4, "no boxes in"),
        ("detections.csv", "a,1,0.1,0.2,0.3,nan,,0.9\n", 2, "'nan' is not a finite"),
        ("detections.csv", "a,1,0.1,0.2,0.3,0.9,,1.9\n", 2, "the score is 1.9"),
        ("detections.csv", "a,1,10,20,30,40,,0.9\n", 2, "these look like pixels"),
    ],
)
@pytest.mark.parametrize("command", ["eval", "finetune"])
def test_files_that_are_missing_or_cannot_be_meant(data, model, command, name, text, code, message):
    for split in ("train", "val"):
        file = data / split / name
        if text is None:
            file.unlink()
        else:
            file.write_text(text)
    result = evaluate(data, model) if command == "eval" else finetune(data)
    assert (result.exit_code, message in " ".join(result.stderr.split())) == (code, True), (
        result.stderr
    )


def test_missing_videos_and_late_key_frames_are_counted(data, model):
    good = evaluate(data, model)
    assert good.exit_code == 0, good.stderr
    assert json.loads(good.stdout)["num_key_frames"] == 2
    (data / "val" / "videos" / "b.mp4").unlink()
    some = evaluate(data, model)
    figures = json.loads(some.stdout)
    assert (some.exit_code, "not_found" in some.stderr) == (3, True)
    assert (figures["num_missing"], figures["num_failed"]) == (1, 1)
    assert (figures["num_key_frames"], figures["num_expected"]) == (1, 2)
    assert figures["num_true"] == {"run": 2, "sit": 1}  # the missing video's are missed
    (data / "val" / "annotations.csv").write_text("a,902,0.1,0.2,0.6,0.9,1,0\n")
    none = evaluate(data, model)
    assert none.exit_code == 4
    assert "a key frame at second 902 of a video that ends at second 2.0" in none.stderr


def test_a_bad_validation_split_does_not_go_unsaid(data):
    (data / "val" / "annotations.csv").write_text("a,1,nan,0.2,0.3,0.9,1,0\n")
    result = finetune(data)
    assert (result.exit_code, "val/annotations.csv, line 1" in result.stderr) == (2, True)


def test_training_goes_on_without_the_videos_that_are_missing(data):
    (data / "train" / "videos" / "b.mp4").unlink()
    result = finetune(data)
    assert result.exit_code == 3, result.stderr
    assert "videos/b: No such file" in result.stderr
    lines = (data.parent / "run" / "metrics.jsonl").read_text().splitlines()
    events = [json.loads(line) for line in lines]
    assert sum(event.get("num_failed", 0) for event in events if event["event"] == "step") == 1


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ("a,1,0.1,0.2,1.3,0.9,,0.9\n", 2, "reaches outside the frame"),
        ("a,1,10,20,30,40,,0.9\n", 2, "these look like pixels"),
        ("a,1,0.1,0.2,0.3,nan,,0.9\n", 2, "not a finite number"),
        ("a,1,0.1,0.2,0.3,0.9,,nan\n", 2, "not a finite number"),
        ("", 4, "no boxes in"),
        ("a,77,0.1,0.2,0.3,0.9,,0.9\n", 4, "boxes at second 77 of 2.0"),
        (None, 2, "cannot read"),
    ],
)
def test_boxes_to_follow(data, text, code, message):
    boxes = data.parent / "boxes.csv"
    if text is not None:
        boxes.write_text(text)
    video = data / "val" / "videos" / "a.mp4"
    for flags in (
        ("--boxes", boxes),
        ("--boxes", data / "val" / "annotations.csv", "--truth", boxes),
    ):
        result = hiera("detect", video, *flags)
        assert (result.exit_code, message in " ".join(result.stderr.split())) == (code, True)


def test_a_missing_video_is_a_record(data):
    result = hiera("detect", data / "gone.mp4", data / "val" / "videos" / "a.mp4", "--no-isolate",
                   "--boxes", data / "val" / "annotations.csv")  # fmt: skip
    first, *tracks = map(json.loads, result.stdout.splitlines())
    assert (result.exit_code, first["error"]["kind"], len(tracks)) == (3, "not_found", 2)
    assert "1 video of the boxes not among the inputs" in result.stderr
