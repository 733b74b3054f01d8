"""The shares of a job array make the table of one run, and nothing is lost on the way unseen."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from hiera_cli.errors import UsageError
from hiera_cli.inputs import expand_inputs
from hiera_cli.options import EngineOptions
from hiera_cli.tables import merge_tables
from hiera_cli.tasks.features.options import TableOptions
from hiera_cli.tasks.features.table import write_features


def run(inputs: Path, out: str, model: Path, shard: str | None = None) -> None:
    options = EngineOptions(model=str(model), device="cpu", isolate=False)
    table = TableOptions(shard=shard)
    for _ in write_features(expand_inputs([str(inputs)]), out, options=options, table=table):
        pass


def test_shares_merge_to_the_table_of_one_run(
    clips: Path, tiny_model: Path, tmp_path: Path
) -> None:
    for index in range(9):  # two of them have nothing to do, one nothing but a failure
        run(clips, f"{tmp_path}/parts/", tiny_model, f"{index}/9")
    run(clips, f"{tmp_path}/whole.parquet", tiny_model)
    merge_tables([f"{tmp_path}/parts"], tmp_path / "merged.parquet")

    whole, merged = (pq.read_table(tmp_path / f"{name}.parquet") for name in ("whole", "merged"))
    assert merged.equals(whole)
    assert merged.schema.metadata == whole.schema.metadata
    errors = [Path(f"{tmp_path}/{n}.parquet.errors.jsonl").read_text() for n in ("whole", "merged")]
    assert errors[0] == errors[1]


def test_a_share_that_is_missing_is_named(clips: Path, tiny_model: Path, tmp_path: Path) -> None:
    for index in (0, 2):
        run(clips, f"{tmp_path}/parts/", tiny_model, f"{index}/3")
    with pytest.raises(UsageError, match="missing: --shard 1/3"):
        merge_tables([f"{tmp_path}/parts"], tmp_path / "merged.parquet")
    merge_tables([f"{tmp_path}/parts"], tmp_path / "merged.parquet", allow_incomplete=True)
    assert set(pq.read_table(tmp_path / "merged.parquet")["path"].to_pylist()) < {
        source.name for source in expand_inputs([str(clips)])
    }


def test_a_share_that_lost_a_failure(clips: Path, tiny_model: Path, tmp_path: Path) -> None:
    for index in range(2):
        run(clips, f"{tmp_path}/parts/", tiny_model, f"{index}/2")
    (errors,) = (tmp_path / "parts").glob("*.errors.jsonl")
    errors.unlink()
    with pytest.raises(UsageError, match=r"accounts for \d of its \d inputs"):
        merge_tables([f"{tmp_path}/parts"], tmp_path / "merged.parquet")


def test_shares_of_different_inputs(clips: Path, tiny_model: Path, tmp_path: Path) -> None:
    run(clips, f"{tmp_path}/parts/", tiny_model, "0/2")
    run(clips / "a", f"{tmp_path}/parts/", tiny_model, "1/2")
    with pytest.raises(UsageError, match="are shares of different inputs"):
        merge_tables([f"{tmp_path}/parts"], tmp_path / "merged.parquet")
