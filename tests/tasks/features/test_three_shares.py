"""Three tasks of a job array and their merge give the table of one run, on real footage."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

FOOTAGE = Path(__file__).parents[4] / "shared" / "data" / "wagons" / "val"
HIERA = [sys.executable, "-m", "hiera_cli"]


@pytest.mark.slow
@pytest.mark.skipif(not FOOTAGE.is_dir(), reason="needs the shared footage")
def test_three_shares_of_real_footage(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("\n".join(sorted(map(str, FOOTAGE.rglob("*.mp4")))[:45]))
    words = [*HIERA, "extract-features", f"@{tmp_path / 'list.txt'}", "-m", "camera-motion"]
    words += ["--device", "cpu"]
    subprocess.run([*words, "-o", str(tmp_path / "one.parquet")], check=True)
    for index in range(3):
        share = ["-o", f"{tmp_path / 'parts'}/", "--shard", f"{index}/3"]
        subprocess.run([*words, *share], check=True)
    merged = str(tmp_path / "all.parquet")
    subprocess.run([*HIERA, "merge", str(tmp_path / "parts"), "-o", merged], check=True)
    one, other = pq.read_table(tmp_path / "one.parquet"), pq.read_table(merged)
    assert one.num_rows > 45
    assert one.drop_columns("feature").equals(other.drop_columns("feature"))
    # on some CPUs (AMX) several threads round a view by its place in the batch: by 7e-7 of 3
    vectors = [np.stack(table["feature"].to_numpy()) for table in (one, other)]
    np.testing.assert_allclose(*vectors, rtol=0, atol=5e-6)
