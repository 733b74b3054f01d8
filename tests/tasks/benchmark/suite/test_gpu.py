"""Every row of the suite on the CPU with stand-ins: the first run on a GPU is not its first run."""

import pytest
import torch

from hiera_cli.tasks.benchmark.baselines import HIERA_OPTIM
from hiera_cli.tasks.benchmark.suite.inference import best_batch
from hiera_cli.tasks.benchmark.suite.options import SuiteOptions
from hiera_cli.tasks.benchmark.suite.run import plan_suite, run_suite
from hiera_cli.tasks.benchmark.suite.setting import network

CPU = torch.device("cpu")


@pytest.mark.filterwarnings("ignore")  # what the compiler and the peers warn about is their own
def test_every_row_is_measured_or_says_why_not(tmp_path) -> None:
    pytest.importorskip("hiera")
    options = SuiteOptions(
        device="cpu", tiny=True, rounds=1, out=tmp_path / "t.json", budget_seconds=1e6
    )
    rows = list(run_suite(plan_suite(options), options))
    assert [(row.name, row.reason) for row in rows if row.state == "failed"] == []
    skipped = {row.name: row.reason for row in rows if row.state == "skipped"}
    assert skipped.pop("B, NVDEC, resized on the device") == "needs CUDA"
    assert not HIERA_OPTIM.missing or set(skipped.values()) == {"hiera_optim not installed"}
    figures = {(row.section, row.name): row.figures for row in rows}
    assert figures["Parity", "B, float32 against the CPU"]["deviation"] == 0.0
    assert figures["Parity", "frames resized on the device"]["deviation"] < 1e-4
    assert figures["Inference", "B, float16, eager"]["clips_per_second"] > 0
    assert figures["Training step, 90% masked", "B, compiled"]["batch"] == 2


def test_the_whole_table_has_every_network_and_what_compiles_comes_last() -> None:
    plans = plan_suite(SuiteOptions(device="cpu")).plans
    names = [plan.name for plan in plans]
    for one in ("B", "B+", "L", "H"):
        for dtype in ("float16", "bfloat16"):
            for path in ("eager", "CUDA graph", "compiled", "hiera-transformer", "hiera-optim"):
                assert f"{one}, {dtype}, {path}" in names
    for one in ("T", "B", "L"):
        assert names.count(f"{one}, compiled") == 2  # dense and masked
    longest = [plan.expected_seconds for plan in plans]
    assert max(longest[: names.index("B, float16, compiled")]) < 60
    assert network("T", tiny=False).config.stages == (1, 2, 7, 2)


def test_the_best_batch_ends_where_memory_does() -> None:
    def run(size: int) -> None:
        if size > 4:
            raise torch.OutOfMemoryError

    assert best_batch(run, (4, 8, 16), CPU) == 4
    with pytest.raises(torch.OutOfMemoryError):
        best_batch(run, (8, 16), CPU)
