"""The same results from and to an S3-compatible store (moto's, on this machine) as from a disk."""

import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from hiera_cli.cli.app import make_app
from tests.media import write_classes
from tests.models import save_tiny

s3fs = pytest.importorskip("s3fs")
moto = pytest.importorskip("moto.server")

LABELS = ("run", "jump")
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "nobody",
    "AWS_SECRET_ACCESS_KEY": "nothing",
    "AWS_DEFAULT_REGION": "us-east-1",
}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny(tmp_path_factory.mktemp("model") / "tiny", labels=LABELS, head_scale=12.0)


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_classes(tmp_path_factory.mktemp("videos"), LABELS, num=6)


@pytest.fixture(scope="module")
def store(videos: Path) -> Iterator["s3fs.S3FileSystem"]:
    """A store with the videos in class folders and in two tar files; found by the environment."""
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (CREDENTIALS | {"AWS_ENDPOINT_URL": f"http://{host}:{port}"}).items():
            patch.setenv(name, value)
        s3fs.S3FileSystem.clear_instance_cache()
        system = s3fs.S3FileSystem()
        system.mkdir("bucket")
        system.put(str(videos), "bucket/classes", recursive=True)
        for number, label in enumerate(LABELS):
            system.pipe_file(f"bucket/shards/shard-{number:03d}.tar", tar_of(videos / label))
        yield system
    s3fs.S3FileSystem.clear_instance_cache()
    server.stop()


def tar_of(folder: Path) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for path in sorted(folder.iterdir()):
            tar.add(path, path.name)
    return packed.getvalue()


def hiera(*arguments: object) -> Result:
    done = CliRunner().invoke(make_app(), list(map(str, arguments)))
    assert done.exit_code == 0, done.stderr
    return done


def table(content: bytes) -> pd.DataFrame:
    """A table of features, whatever its inputs were called."""
    rows = pd.read_parquet(io.BytesIO(content))
    return rows.assign(path=rows["path"].map(lambda path: path[-6:]))


def test_evaluate_class_folders(videos: Path, model: Path, store, tmp_path: Path) -> None:
    words = ("-m", model, "--protocol", "fast")
    hiera("eval", videos, *words, "--out", tmp_path / "here")
    hiera("eval", "s3://bucket/classes", *words, "--out", "s3://bucket/results/there")
    there = json.loads(store.cat_file("bucket/results/there/metrics.json"))
    here = json.loads((tmp_path / "here" / "metrics.json").read_bytes())
    assert there["num_evaluated"] == 6
    for name in ("top1", "macro_f1", "calibration_error", "num_evaluated", "weights_sha256"):
        assert there[name] == here[name]


def test_features_in_shares(videos: Path, model: Path, store, tmp_path: Path) -> None:
    words = ("-m", model, "--protocol", "fast", "--device", "cpu")
    hiera("extract-features", videos, *words, "-o", tmp_path / "here.parquet")
    for share in ("0/2", "1/2"):
        out = f"s3://bucket/parts/{share[0]}.parquet"
        hiera("extract-features", "s3://bucket/classes", *words, "--shard", share, "-o", out)
    hiera("merge", "s3://bucket/parts/", "-o", "s3://bucket/feats.parquet")
    here = table((tmp_path / "here.parquet").read_bytes())
    pd.testing.assert_frame_equal(table(store.cat_file("bucket/feats.parquet")), here)


def test_features_of_tar_shards(videos: Path, model: Path, store, tmp_path: Path) -> None:
    words = ("-m", model, "--protocol", "fast", "--device", "cpu")
    hiera("extract-features", videos, *words, "-o", tmp_path / "here.parquet")
    shards = "s3://bucket/shards/shard-{000..001}.tar"
    hiera("extract-features", shards, *words, "-o", "s3://bucket/tars.parquet")
    there = table(store.cat_file("bucket/tars.parquet")).sort_values("path", ignore_index=True)
    here = table((tmp_path / "here.parquet").read_bytes())
    pd.testing.assert_frame_equal(there, here.sort_values("path", ignore_index=True))


def test_fit_and_classify(model: Path, store) -> None:
    hiera("fit", "s3://bucket/classes", "-m", model, "--head", "knn", "-o", "s3://bucket/mine")
    assert store.exists("bucket/mine/model.safetensors")
    hiera("classify", "s3://bucket/classes/run", "-m", model, "-o", "s3://bucket/answers.jsonl")
    assert len(store.cat_file("bucket/answers.jsonl").splitlines()) == 3
