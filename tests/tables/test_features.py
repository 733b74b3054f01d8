"""Feature tables in pandas: values, shapes and what they were made with."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hiera_cli import read_features
from hiera_cli.errors import UsageError
from hiera_cli.inputs import expand_inputs
from hiera_cli.options import EngineOptions
from hiera_cli.tables.features import feature_matrix
from hiera_cli.tasks.features.options import FeatureOptions
from hiera_cli.tasks.features.table import write_features
from tests.media import write_waves
from tests.models import save_tiny


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("features")
    for index in range(3):
        write_waves(root / f"{index}.mp4", seed=index)
    model = save_tiny(root / "model")
    out = root / "out.parquet"
    options = EngineOptions(model=str(model), protocol="balanced", clips=2)
    files = list(expand_inputs([str(root)]))
    list(write_features(files, out, features=FeatureOptions(scores=True), options=options))
    return out


def test_columns_are_those_of_the_file(table: Path) -> None:
    found, expected = read_features(table), pd.read_parquet(table)
    assert list(found.columns) == list(expected.columns)
    assert found["path"].tolist() == ["0.mp4", "0.mp4", "1.mp4", "1.mp4", "2.mp4", "2.mp4"]
    assert found["start_seconds"].dtype == np.float64
    np.testing.assert_array_equal(feature_matrix(found), np.stack(expected["feature"].tolist()))
    assert found["feature"][0].dtype == np.float32
    assert found["scores"][0].sum() == pytest.approx(1.0, abs=1e-5)


def test_metadata_says_what_made_it(table: Path) -> None:
    metadata = read_features(str(table)).attrs["hiera_cli"]
    assert metadata["protocol"]["num_clips"] == 2
    assert len(metadata["weights_sha256"]) == 64


def test_other_tables_are_refused(table: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.parquet"
    pd.DataFrame({"path": ["a"]}).to_parquet(other)
    with pytest.raises(UsageError, match="not written by hiera"):
        read_features(other)
    with pytest.raises(UsageError, match="no table"):
        read_features(tmp_path / "none.parquet")
