"""`hiera verify`: some rows of a table of features, computed again."""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from hiera_cli.cli import console
from hiera_cli.cli.options import TalkOptions
from hiera_cli.cli.units import counted
from hiera_cli.errors import Failure
from hiera_cli.options import EngineOptions

if TYPE_CHECKING:
    from hiera_cli.tasks.verify import Checked

FLAGS = {
    "table": typer.Argument(metavar="TABLE", help="A .parquet file or a folder of shards."),
    "sample": typer.Option("--sample", min=1, help="How many rows."),
    "seed": typer.Option("--seed", help="Which rows."),
    "tolerance": typer.Option(
        "--tolerance", help="Largest deviation that passes.", show_default="by precision"
    ),
    "root": typer.Option("--root", help="Where the videos are now."),
}
BEYOND_TOLERANCE, NOT_READ = 1, 3


def verify(
    table: str,
    talk: TalkOptions,
    sample: int = 10,
    seed: int = 0,
    tolerance: float | None = None,
    root: str | None = None,
    model: str | None = None,
    weights: str | None = None,
    device: str = "auto",
    batch_size: str = "auto",
    offline: bool = False,
    cache_dir: str | None = None,
    format: str | None = None,  # noqa: A002 - the flag's name
) -> int:
    """Compute a sample of a table's rows again and report the largest deviation.

    Exit code 1 when it is beyond the tolerance.
    """
    from hiera_cli.tasks.verify import verify_features

    options = EngineOptions(
        device=device, batch_size=batch_size, offline=offline, cache_dir=cache_dir
    )
    records = verify_features(
        table,
        sample=sample,
        seed=seed,
        tolerance=tolerance,
        root=root,
        model=model,
        weights=weights,
        options=options,
    )
    checked, some_failed = [], False
    for record in console.progress(records, total=sample, unit="rows", quiet=talk.quiet):
        if isinstance(record, Failure):
            some_failed = True
            console.show_failure(record)
        else:
            checked.append(record)
            _show_difference(record)
    _write_summary(checked, as_json=format in ("json", "jsonl"))
    if not all(record.within for record in checked):
        return BEYOND_TOLERANCE
    return NOT_READ if some_failed else 0


def _show_difference(record: "Checked") -> None:
    if not record.within:
        console.say(f"differs: {record.path} clip {record.clip_index}: {record.deviation}")


def _write_summary(checked: Sequence["Checked"], *, as_json: bool) -> None:
    largest = max((record.deviation for record in checked), default=0.0)
    if as_json:
        rows = [asdict(record) for record in checked]
        sys.stdout.write(json.dumps({"largest_deviation": largest, "rows": rows}) + "\n")
    else:
        told = counted(len(checked), "row")
        sys.stdout.write(f"{told} checked, largest deviation {largest:.3g}\n")
