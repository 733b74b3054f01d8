"""`hiera benchmark --plan`: what a large extraction would take, as a table or a record."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import IO, TYPE_CHECKING, Any

import typer

from hiera_cli.cli import console
from hiera_cli.cli.options import OutputOptions
from hiera_cli.cli.records import Layout, RecordWriter
from hiera_cli.cli.units import duration, size
from hiera_cli.inputs import InputPath
from hiera_cli.options import EngineOptions
from hiera_cli.tasks.benchmark.options import PlanOptions

if TYPE_CHECKING:
    from hiera_cli.tasks.benchmark.capacity import CapacityPlan, Scenario


def _flag(*names: str, help: str) -> Any:  # noqa: A002
    return typer.Option(*names, help=help, rich_help_panel="Plan")


PLAN_FLAGS: dict[str, Any] = {
    "plan": _flag("--plan", help="Say what a large extraction would take."),
    "videos": _flag("--videos", help="How many videos."),
    "seconds": _flag("--seconds", help="The length of each. [default: of those measured]"),
    "gpus": _flag("--gpus", help="Of all machines; 0 for cores alone."),
    "cores": _flag("--cores", help="Of all machines. [default: as here, for each GPU]"),
    "rates": _flag("--rates", help="JSON that hiera benchmark wrote on such a machine."),
    "read_rate": _flag("--read-rate", help="Views a second that one core reads."),
    "model_rate": _flag("--model-rate", help="Views a second that one GPU computes."),
}
_COLUMNS = ("num_cores", "num_gpus", "wall_hours", "cpu_hours", "gpu_hours", "videos_per_second")
COLUMNS = (*_COLUMNS, "bottleneck", "source_bytes_per_second")


def show_plan(
    files: Sequence[InputPath], engine: EngineOptions, options: PlanOptions, output: OutputOptions
) -> int:
    """Work the plan out and write it."""
    from hiera_cli.tasks.benchmark.capacity import plan

    with RecordWriter(output, Layout(COLUMNS, _rows, _show)) as writer:
        with console.waiting("measuring", quiet=output.quiet):
            found = plan(files, engine, options)
        writer.write(found)
    return 0


def _rows(found: "CapacityPlan") -> Iterable[dict[str, Any]]:
    yield from (asdict(one) for one in (found.asked, *found.others))


def _show(found: "CapacityPlan", stream: IO[str]) -> None:
    stream.write("".join(f"{line}\n" for line in plan_lines(found)))


def plan_lines(found: "CapacityPlan") -> list[str]:
    """The plan in words and a table."""
    costs, work = found.costs, found.work
    where = "a GPU" if costs.on_gpu else f"{costs.model_cores:g} cores"
    source = "" if work.source_bytes is None else f", {size(work.source_bytes)} of files"
    lines = [
        f"{'costs':14}{costs.source} ({costs.machine})",
        f"{'a view':14}{_milliseconds(costs.read_seconds)} of one core to read and decode, "
        f"{_milliseconds(costs.model_seconds)} of {where} for the model",
        f"{'work':14}{work.num_videos:,} videos of {work.seconds:g} s, "
        f"{work.num_views:,} views{source}",
        f"{'table':14}{size(work.output_bytes)} before compression",
        "",
        f"{'':8}{'cores':>8}{'GPUs':>6}{'wall':>11}{'CPU h':>10}{'GPU h':>10}{'videos/s':>10}"
        f"{'reads/s':>10}  waits for",
        _line("asked", found.asked),
        *(_line("", one) for one in found.others),
    ]
    if found.balanced_cores_per_gpu is not None:
        lines += ["", f"{found.balanced_cores_per_gpu:.1f} cores a GPU keep both busy"]
    return lines


def _line(name: str, one: "Scenario") -> str:
    rate = "-" if one.source_bytes_per_second is None else size(one.source_bytes_per_second)
    return (
        f"{name:8}{one.num_cores:8}{one.num_gpus:6}{duration(3600 * one.wall_hours):>11}"
        f"{one.cpu_hours:10.4g}{one.gpu_hours:10.4g}{one.videos_per_second:10.4g}{rate:>10}"
        f"  {one.bottleneck}"
    )


def _milliseconds(seconds: float) -> str:
    return f"{1000 * seconds:.3g} ms"
