"""Benchmark reports made by hand, for what reads them."""

from hiera_cli.tasks.benchmark.comparison import Comparison
from hiera_cli.tasks.benchmark.run import BenchmarkReport
from hiera_cli.tasks.benchmark.stages import stage
from hiera_cli.tasks.benchmark.sweep import SweepPoint
from hiera_cli.tasks.benchmark.training_steps import TrainingStep


def comparison(name: str, *, top1: float | None) -> Comparison:
    return Comparison(
        name=name,
        seconds=0.5,
        views_per_second=2.0,
        times_ours=1.25,
        gflops_per_view=200.0,
        percent_of_peak=40.0,
        top1=top1,
    )


def report(*comparisons: Comparison) -> BenchmarkReport:
    return BenchmarkReport(
        model="hiera_base_16x224",
        checkpoint="random weights",
        backend="torch on cpu, float32",
        machine="a machine, 2 cores",
        torch_version="2.6.0",
        threads=2,
        matmul_peak_gflops=1000.0,
        gflops_per_view=203.5,
        stages=(
            stage("decode", 0.1),
            stage("preprocess", 0.05),
            stage("copy", 0.0),
            stage("model", 0.4),
            stage("end to end", 0.5),
        ),
        percent_of_model=80.0,
        bottleneck="model",
        suggested_workers=1,
        suggested_batch_size=2,
        sweep=(SweepPoint(2, 0.8, 2.5, 50.0),),
        comparison=comparisons,
        training=(TrainingStep("dense", 6.0, 1 / 6, 1.0, 203.5),),
    )
