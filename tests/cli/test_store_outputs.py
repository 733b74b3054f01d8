"""Results at a URL are those of a disk: written here, put there when they are finished."""

import io
import json
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from hiera_cli.cli.app import make_app
from hiera_cli.errors import MediaError
from hiera_cli.remote import url_of
from hiera_cli.tasks.evaluation import predict
from tests.media import write_classes
from tests.models import save_tiny

fsspec = pytest.importorskip("fsspec")
LABELS = ("run", "jump", "sit")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny(tmp_path_factory.mktemp("model") / "tiny", labels=LABELS, head_scale=12.0)


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_classes(tmp_path_factory.mktemp("videos"), LABELS[:2], num=6)


@pytest.fixture
def bucket() -> Iterator[str]:
    system = fsspec.filesystem("memory")
    system.mkdir("/bucket")
    yield "memory://bucket"
    system.rm("/bucket", recursive=True)


def names() -> list[str]:
    found = fsspec.filesystem("memory").find("/bucket")
    return sorted(name.removeprefix("/bucket/") for name in found)


def read(name: str) -> bytes:
    return fsspec.filesystem("memory").cat_file(f"/bucket/{name}")


def hiera(*arguments: object) -> Result:
    return CliRunner().invoke(make_app(), list(map(str, arguments)))


def test_a_url_that_went_through_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert url_of(Path("s3://bucket/x.json")) == "s3://bucket/x.json"
    assert url_of("gs://bucket/x") == "gs://bucket/x"
    assert url_of(Path("results/x.json")) is None
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s3:").mkdir()
    (tmp_path / "s3:" / "x.json").touch()
    assert url_of(Path("s3://x.json")) is None  # a file of this machine is never remote


def test_classify(videos: Path, model: Path, bucket: str, tmp_path: Path) -> None:
    for out in (tmp_path / "x.jsonl", f"{bucket}/deep/x.jsonl"):
        assert hiera("classify", videos, "-m", model, "-o", out).exit_code == 0
    assert names() == ["deep/x.jsonl"]
    assert read("deep/x.jsonl") == (tmp_path / "x.jsonl").read_bytes()


def test_eval(videos: Path, model: Path, bucket: str, tmp_path: Path) -> None:
    for out in (tmp_path / "x", f"{bucket}/x"):
        done = hiera("eval", videos, "-m", model, "-o", out, "--protocol", "fast")
        assert done.exit_code == 0, done.stderr
    assert done.stdout.split()[-1] == f"{bucket}/x/report.html"
    here = sorted(f"x/{path.name}" for path in (tmp_path / "x").iterdir())
    assert names() == here
    assert "x/report.html" in here
    assert read("x/metrics.json") == (tmp_path / "x" / "metrics.json").read_bytes()
    table = pd.read_parquet(io.BytesIO(read("x/predictions.parquet")))
    pd.testing.assert_frame_equal(table, pd.read_parquet(tmp_path / "x" / "predictions.parquet"))


def test_an_interrupted_eval_goes_on(
    videos: Path, model: Path, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("eval", videos, "-m", model, "-o", f"{bucket}/x", "--protocol", "fast")
    left, real = iter(range(3)), predict.judge

    def judge(*arguments: object) -> object:
        if next(left, None) is None:
            raise KeyboardInterrupt
        return real(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(predict, "judge", judge)
        assert hiera(*words).exit_code != 0
    assert names()
    assert all(name.startswith("x.work/") for name in names())
    done = hiera(*words)
    assert done.exit_code == 0, done.stderr
    assert "3 videos are finished already" in done.stderr
    assert not [name for name in names() if ".work/" in name]


def test_fit(videos: Path, model: Path, bucket: str, tmp_path: Path) -> None:
    for out in (tmp_path / "mine", f"{bucket}/mine"):
        done = hiera("fit", videos, "-m", model, "-o", out, "--head", "knn", "-f", "json")
        assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout)["model"] == f"{bucket}/mine"
    assert f"copy {bucket}/mine to a disk" in done.stderr
    here = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert set(names()) == here
    assert "mine.features.parquet" in here
    weights = (tmp_path / "mine" / "model.safetensors").read_bytes()
    assert read("mine/model.safetensors") == weights


def test_a_store_that_refuses_is_said_before_the_work(
    videos: Path, model: Path, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise MediaError("permission", "the store refuses it")

    monkeypatch.setattr("hiera_cli.remote.Store.sizes", refuse)
    done = hiera("classify", videos, "-m", model, "-o", f"{bucket}/x.jsonl")
    assert done.exit_code == 1
    assert f"cannot write '{bucket}/x.jsonl': the store refuses it" in done.stderr
