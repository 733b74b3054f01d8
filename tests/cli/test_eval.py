import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, confusion_matrix, recall_score, top_k_accuracy_score
from typer.testing import CliRunner

from hiera_cli.cli.app import make_app
from hiera_cli.tasks.evaluation.evaluate import default_folder
from tests.media import write_waves
from tests.models import SMALL_IMAGE, save_tiny

LABELS = ("playing guitar", "pull ups", "massaging person's head", "tai chi", "zumba", "yoga")
HEADER = "label,youtube_id,time_start,time_end,split,is_cc\n"


@dataclass(frozen=True)
class Ran:
    returncode: int
    stdout: str
    stderr: str


def hiera(*arguments: object) -> Ran:
    """Run the command line in this process: importing torch again for every call takes seconds."""
    result = CliRunner().invoke(make_app(), list(map(str, arguments)))
    return Ran(result.exit_code, result.stdout, result.stderr)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny(tmp_path_factory.mktemp("model"), labels=LABELS, head_scale=12.0)


@pytest.fixture(scope="module")
def kinetics(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """12 promised clips: 8 good ones in three containers, 1 corrupt, 2 missing, 1 of no class."""
    root = tmp_path_factory.mktemp("kinetics")
    rows = []
    suffixes = [".mp4", ".mkv", ".webm"]
    for i in range(8):
        label = LABELS[i % 4]
        name = f"id_{i}-x_{i:06d}_{i + 10:06d}{suffixes[i % 3]}"
        write_waves(root / "val" / label.replace(" ", "_") / name, seed=i)
        rows.append(f'"{label.title() if i == 4 else label}",id_{i}-x,{i},{i + 10},validate,0')
    bad = root / "val" / "zumba" / "broken_000003_000013.mp4"
    bad.parent.mkdir()
    bad.write_bytes(b"\0\0\0\x18ftypmp42" + bytes(range(256)) * 8)
    write_waves(root / "val" / "zorbing" / "odd_000004_000014.mp4", seed=99)
    write_waves(root / "train" / "tai_chi" / "train_000001_000011.mp4", seed=98)
    rows += [
        "zumba,broken,3,13,validate,0",
        "tai chi,gone1,1,11,validate,0",
        "zumba,gone2,2,12,validate,0",
        "zorbing,odd,4,14,validate,0",
        rows[2],
        "tai chi,train,1,11,train,0",
    ]
    (root / "annotations").mkdir()
    (root / "annotations" / "kinetics.csv").write_text(HEADER + "\n".join(rows) + "\n")
    return root


@pytest.fixture(scope="module")
def evaluated(
    kinetics: Path, model: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Ran, Path]:
    out = tmp_path_factory.mktemp("out") / "result"
    return hiera("eval", kinetics, "-m", model, "--out", out, "-f", "json"), out


def test_every_promised_video_is_accounted_for(
    evaluated: tuple[Ran, Path],
) -> None:
    result, out = evaluated
    assert result.returncode == 3, result.stderr
    metrics = json.loads((out / "metrics.json").read_text())
    assert json.loads(result.stdout) == metrics
    counts = {key: value for key, value in metrics.items() if key.startswith("num_")}
    assert counts == {
        "num_expected": 12,
        "num_evaluated": 8,
        "num_missing": 2,
        "num_failed": 1,
        "num_unknown_label": 1,
        "num_damaged": 0,
        "num_duplicates": 1,
        "num_classes": 6,
    }
    assert metrics["unknown_labels"] == ["zorbing"]
    assert metrics["protocol"]["name"] == "paper"
    assert (metrics["protocol"]["num_clips"], metrics["protocol"]["num_crops"]) == (5, 3)
    assert sum(metrics["failures_by_kind"].values()) == 1
    assert "Traceback" not in result.stderr
    assert "broken_000003_000013.mp4" in result.stderr
    assert "zorbing" in result.stderr
    errors = (out / "predictions.parquet.errors.jsonl").read_text().splitlines()
    (error,) = map(json.loads, errors)
    assert error["path"] == "val/zumba/broken_000003_000013.mp4"


def test_metrics_equal_scikit_learn_on_the_predictions(
    evaluated: tuple[Ran, Path],
) -> None:
    _, out = evaluated
    metrics = json.loads((out / "metrics.json").read_text())
    table = pd.read_parquet(out / "predictions.parquet")
    assert len(table) == 8
    assert set(table["num_views"]) == {15}
    scores = np.stack(table["scores"])
    assert scores.sum(1) == pytest.approx(1, abs=1e-5)
    assert table["predicted"].tolist() == [LABELS[i] for i in scores.argmax(1)]
    right = accuracy_score(table["label"], table["predicted"])
    assert metrics["top1"] == pytest.approx(right)
    assert metrics["top1_of_expected"] == pytest.approx(right * 8 / 12)
    targets = np.array([LABELS.index(label) for label in table["label"]])
    top5 = top_k_accuracy_score(targets, scores, k=5, labels=np.arange(6))
    assert metrics["top5"] == pytest.approx(top5)
    present = sorted(set(table["label"]), key=LABELS.index)
    recall = recall_score(table["label"], table["predicted"], labels=present, average=None)
    assert metrics["mean_class_accuracy"] == pytest.approx(recall.mean())
    per_class = pd.read_csv(out / "per_class.csv")
    assert per_class["label"].tolist() == present
    assert per_class["top1"].tolist() == pytest.approx(recall.tolist(), abs=1e-6)
    confusion = pd.read_csv(out / "confusion.csv", index_col="label")
    expected = confusion_matrix(table["label"], table["predicted"], labels=list(confusion.columns))
    rows = [list(confusion.columns).index(label) for label in confusion.index]
    assert (confusion.to_numpy() == expected[rows]).all()


def test_the_report_is_one_small_page_without_network(
    evaluated: tuple[Ran, Path],
) -> None:
    _, out = evaluated
    page = (out / "report.html").read_text()
    assert len(page) < 2_000_000
    assert "http://" not in page
    assert "https://" not in page
    assert "data:image/jpeg;base64," in page
    assert "broken_000003_000013.mp4" in page
    assert "massaging person&#39;s head" in page


def test_rescoring_needs_no_model_and_follows_corrected_labels(
    kinetics: Path, evaluated: tuple[Ran, Path], tmp_path: Path
) -> None:
    _, out = evaluated
    again = ["eval", kinetics, "--rescore", out / "predictions.parquet", "-f", "json"]
    before = json.loads((out / "metrics.json").read_text())
    same = json.loads(hiera(*again, "--out", tmp_path / "same").stdout)
    assert same == before
    table = pd.read_parquet(out / "predictions.parquet")
    wrong = table[table["label"] != table["predicted"]].iloc[0]
    youtube_id = Path(wrong["path"]).stem.rsplit("_", 2)[0]
    rows = (kinetics / "annotations" / "kinetics.csv").read_text().splitlines()
    corrected = [
        f"{wrong['predicted']},{row.split(',', 1)[1]}" if f",{youtube_id}," in row else row
        for row in rows
    ]
    (tmp_path / "corrected.csv").write_text("\n".join(corrected))
    annotations = ["--annotations", tmp_path / "corrected.csv", "--out", tmp_path / "new"]
    metrics = json.loads(hiera(*again, *annotations).stdout)
    assert metrics["top1"] == pytest.approx(before["top1"] + 1 / 8)
    assert metrics["num_expected"] == 12
    assert "1 videos have another label" in metrics["warnings"][-1]
    assert not (tmp_path / "new" / "predictions.parquet").exists()


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten clips under class folders of four classes, names with blanks and commas."""
    root = tmp_path_factory.mktemp("folders")
    for i in range(10):
        write_waves(root / LABELS[i % 4].replace(" ", "_") / f"clip {i}, b.mp4", seed=i)
    return root


def test_all_list_formats_give_the_same_metrics(folders: Path, model: Path, tmp_path: Path) -> None:
    clips = sorted(p.relative_to(folders) for p in folders.rglob("*.mp4"))
    classes = [LABELS.index(clip.parent.name.replace("_", " ")) for clip in clips]
    lists = {
        "slowfast.csv": [f"{clip} {index}" for clip, index in zip(clips, classes, strict=True)],
        "comma.csv": [f"{clip},{index}" for clip, index in zip(clips, classes, strict=True)],
        "mmaction2.txt": [f"{clip}\t{index}" for clip, index in zip(clips, classes, strict=True)],
        "names.txt": [f"{folders / c} {LABELS[i]}" for c, i in zip(clips, classes, strict=True)],
    }
    measured = ("top1", "top5", "mean_class_accuracy", "num_expected", "num_evaluated")
    found = []
    fast = ["-m", model, "--protocol", "fast", "-q", "-f", "json"]
    result = hiera("eval", folders, *fast, "--out", tmp_path / "folders")
    assert result.returncode == 0, result.stderr
    found.append({key: json.loads(result.stdout)[key] for key in measured})
    for name, lines in lists.items():
        (tmp_path / name).write_text("\n".join(lines) + "\n")
        arguments = [folders, "--annotations", tmp_path / name, "--out", tmp_path / f"out-{name}"]
        result = hiera("eval", *arguments, *fast)
        assert result.returncode == 0, result.stderr
        found.append({key: json.loads(result.stdout)[key] for key in measured})
    assert found[0]["num_evaluated"] == 10
    assert found[1:] == [found[0]] * 4


def test_killed_and_started_again_gives_the_same_table(
    folders: Path, model: Path, tmp_path: Path
) -> None:
    command = ["eval", folders, "-m", model, "--workers", 1, "--batch-size", 3]
    whole = hiera(*command, "--out", tmp_path / "whole")
    assert whole.returncode == 0, whole.stderr
    arguments = [sys.executable, "-m", "hiera_cli", *map(str, command)]
    arguments += ["--out", str(tmp_path / "parts")]
    journal = tmp_path / "parts" / "predictions.parquet.partial" / "rows-0000.jsonl"
    with subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as run:
        deadline = time.monotonic() + 200
        while run.poll() is None and time.monotonic() < deadline:
            if journal.exists() and journal.read_bytes().count(b"\n") >= 2:
                break
            time.sleep(0.002)
        os.kill(run.pid, signal.SIGKILL)
    resumed = hiera(*command, "--out", tmp_path / "parts")
    assert resumed.returncode == 0, resumed.stderr
    tables = [
        pd.read_parquet(tmp_path / name / "predictions.parquet") for name in ("whole", "parts")
    ]
    assert tables[0].drop(columns="scores").equals(tables[1].drop(columns="scores"))
    assert np.array_equal(*(np.stack(table["scores"]) for table in tables))
    metrics = [(tmp_path / name / "metrics.json").read_text() for name in ("whole", "parts")]
    assert metrics[0] == metrics[1]
    assert "videos are finished already" in resumed.stderr


def test_other_settings_are_not_mixed_in(folders: Path, model: Path, tmp_path: Path) -> None:
    command = ["eval", folders, "-m", model, "--out", tmp_path / "out", "--protocol", "fast"]
    assert hiera(*command, "--limit", 4).returncode == 0
    refused = hiera(*command)
    assert refused.returncode == 2
    assert "limit was 4, now null" in refused.stderr
    assert hiera(*command, "--on-existing", "error").returncode == 2
    assert hiera(*command, "--on-existing", "overwrite").returncode == 0
    assert len(pd.read_parquet(tmp_path / "out" / "predictions.parquet")) == 10


def test_a_limited_look_says_so_everywhere(folders: Path, model: Path, tmp_path: Path) -> None:
    command = ["eval", folders, "-m", model, "--protocol", "fast", "--limit", 4]
    result = hiera(*command, "--out", tmp_path / "a")
    assert result.returncode == 0, result.stderr
    assert "a quick look at a random sample, not a result" in result.stdout
    assert "A quick look, not a result" in (tmp_path / "a" / "report.html").read_text()
    metrics = json.loads((tmp_path / "a" / "metrics.json").read_text())
    assert (metrics["limit"], metrics["seed"], metrics["num_expected"]) == (4, 0, 4)
    table = pd.read_parquet(tmp_path / "a" / "predictions.parquet")
    assert len(table) == 4
    assert table["label"].value_counts().max() <= 2  # each class by its share: 3, 3, 2, 2 of 10


def test_image_models_see_one_center_crop(tmp_path: Path) -> None:
    model = save_tiny(tmp_path / "model", SMALL_IMAGE, labels=("cat", "dog", "owl"))
    for i in range(6):
        name = tmp_path / "val" / ("cat", "dog", "owl")[i % 3] / f"{i}.jpg"
        write_waves(name, seed=i, num_frames=1)
    out = tmp_path / "out"
    result = hiera("eval", tmp_path / "val", "-m", model, "--out", out, "-f", "json")
    assert result.returncode == 0, result.stderr
    metrics = json.loads(result.stdout)
    assert metrics["num_evaluated"] == 6
    assert metrics["protocol"]["name"] == "fast"
    assert metrics["preprocessing"]["interpolation"] == "bicubic"
    assert set(pd.read_parquet(out / "predictions.parquet")["num_views"]) == {1}


def test_scripts_in_names_stay_text(tmp_path: Path) -> None:
    evil = "<script>alert(1)<"
    model = save_tiny(tmp_path / "model", labels=(evil, "</script>{{ 7 * 7 }}"), seed=2)
    write_waves(tmp_path / "data" / evil / "a.mp4", seed=1)
    write_waves(tmp_path / "data" / evil / '"><img src=x onerror=alert(2)>.mp4', seed=2)
    out = tmp_path / "out"
    result = hiera("eval", tmp_path / "data", "-m", model, "--protocol", "fast", "--out", out)
    assert result.returncode == 0, result.stderr
    page = (out / "report.html").read_text()
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    assert "&lt;script&gt;alert(1)&lt;" in page
    assert "&lt;/script&gt;{{ 7 * 7 }}" in page


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["absent"], 2, "no data set at"),
        (["."], 4, "no class folders"),
        ([".", "--format", "xml"], 2, "--format"),
        ([".", "--on-existing", "maybe"], 2, "--on-existing"),
    ],
)
def test_requests_that_mean_nothing(
    arguments: list[str], code: int, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = hiera("eval", *arguments)
    assert result.returncode == code
    assert message in result.stderr


def test_labels_in_common_are_needed(folders: Path, tmp_path: Path) -> None:
    model = save_tiny(tmp_path / "model", labels=("cat", "dog"))
    result = hiera("eval", folders, "-m", model, "--out", tmp_path / "out")
    assert result.returncode == 2
    assert "the model has none of the data set's labels" in result.stderr
    assert not (tmp_path / "out").exists()


def test_the_default_folder_is_named_after_model_and_data() -> None:
    assert default_folder("hiera_base_16x224", "/data/k 400/") == Path(
        "eval-hiera_base_16x224-k_400"
    )


def test_the_bundled_model_names_every_sample_clip(tmp_path: Path) -> None:
    samples = Path(__file__).parents[2] / "sample_videos"
    result = hiera("eval", samples, "-m", "camera-motion", "--out", tmp_path, "-f", "json")
    assert result.returncode == 0, result.stderr
    metrics = json.loads(result.stdout)
    assert metrics["top1"] == 1.0
    assert metrics["num_evaluated"] == len([*samples.rglob("*.mp4"), *samples.rglob("*.webm")])
    assert (tmp_path / "report.html").stat().st_size < 2_000_000
