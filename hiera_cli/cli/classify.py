"""`hiera classify`: what happens in a video."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import typer

from hiera_cli.cli import console
from hiera_cli.cli.options import Inputs, OutputOptions
from hiera_cli.cli.records import Layout, RecordWriter, Tally
from hiera_cli.cli.sources import Sources
from hiera_cli.cli.timeline_files import FreshNames
from hiera_cli.errors import Failure
from hiera_cli.files import output_errors
from hiera_cli.inputs import InputPath, printable
from hiera_cli.options import EngineOptions

if TYPE_CHECKING:
    from hiera_cli.inference.engine import Engine

FLAGS = {
    "top_k": typer.Option("-k", "--top-k", help="Predictions a video."),
    "explain": typer.Option("--explain", help="Folder for pictures of the views and what counts."),
}
BAR_WIDTH = 24


def classify(
    inputs: Inputs,
    engine: EngineOptions,
    output: OutputOptions,
    top_k: int = 5,
    explain: Path | None = None,
) -> int:
    """Classify videos: Kinetics actions, or whatever the model was trained on.

    The default model needs its weights downloaded once; `-m camera-motion` is bundled.
    """
    from hiera_cli.inference.open import open_engine
    from hiera_cli.tasks.classify import DEFAULT_PROTOCOL, classify_files

    files = Sources(inputs)
    layout = Layout(("path", "rank", "index", "label", "score", "error"), _rows, _show)
    tally = Tally()
    results = RecordWriter(output, layout)
    bar = console.byte_progress(quiet=output.quiet)
    with console.waiting(f"opening {engine.model}", quiet=output.quiet):
        ready = open_engine(engine, protocol=DEFAULT_PROTOCOL, exact=False, progress=bar)
    seen: list[InputPath] = []
    noted = files if explain is None else _noted(files, seen)
    records = classify_files(noted, ready, top_k=top_k)
    with results as writer:
        for record in console.progress(records, total=files.num, unit="videos", quiet=output.quiet):
            tally.add(record)
            writer.write(record)
            if isinstance(record, Failure):
                console.show_failure(record)
    if explain is not None:
        _explain(seen, ready, explain)
    return tally.exit_code


def _noted(files: Iterable[InputPath], seen: list[InputPath]) -> Iterator[InputPath]:
    """The files, each put down in `seen`: inputs from a pipe cannot be read twice."""
    for file in files:
        seen.append(file)
        yield file


def _explain(files: Iterable[InputPath], engine: "Engine", folder: Path) -> None:
    """Write two pictures a video: its views, and what the class rests on."""
    from hiera_cli.report.explain_sheet import draw_relevance, draw_views
    from hiera_cli.tasks.explain import explain_video

    with output_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    names = FreshNames()
    for file in files:
        found = explain_video(file, engine)
        if not isinstance(found, Failure):
            name = names.name(Path(file.path).stem, "")
            draw_views(found, folder / f"{name}.views.png")
            draw_relevance(found, folder / f"{name}.relevance.png")


def _rows(record: Any) -> list[dict[str, Any]]:
    if isinstance(record, Failure):
        return [{"path": record.path, "error": f"{record.kind}: {record.message}"}]
    return [
        {"path": record.path, "rank": p.rank, "index": p.index, "label": p.label, "score": p.score}
        for p in record.predictions
    ]


def _show(record: Any, stream: IO[str]) -> None:
    """A heading and a bar for each prediction."""
    if isinstance(record, Failure):
        return
    from rich.text import Text

    page = console.page(stream)
    facts = f"  {record.duration_seconds:.1f} s, {record.width}x{record.height}"
    heading = console.fit(printable(record.path), stream, beside=len(facts))
    page.print(Text(heading, style="bold"), Text(facts, style="dim"), sep="")
    width = BAR_WIDTH if console.width_of(stream) >= BAR_WIDTH + 36 else 0
    for p in record.predictions:
        bar = f"{'━' * round(p.score * width):{width}} " if width else ""
        style = "green" if p.rank == 1 else "dim"
        label = console.fit(printable(p.label), stream, beside=9 + len(bar))
        page.print(Text(f"  {p.score:6.1%} "), Text(bar, style), Text(label), sep="")
    for warning in record.warnings:
        line = f"  warning: {printable(warning)}"
        page.print(Text(console.wrapped(line, stream, indent=4), style="yellow"))
