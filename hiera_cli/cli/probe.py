"""`hiera probe`: what is in a video file, and which frames a protocol would take."""

from typing import IO, Any

import typer

from hiera_cli.cli import console
from hiera_cli.cli.options import Inputs, OutputOptions
from hiera_cli.cli.records import Layout, RecordWriter, Tally
from hiera_cli.cli.sources import Sources
from hiera_cli.errors import Failure
from hiera_cli.inputs import printable
from hiera_cli.options import ProbeOptions

FLAGS = {
    "count": typer.Option(
        "--count/--no-count",
        help="Decode everything to count the frames, or trust the container.",
    )
}
COLUMNS = (
    "path", "container", "codec", "pixel_format", "width", "height", "rotation", "num_frames",
    "fps", "variable_frame_rate", "duration_seconds", "start_seconds", "num_views", "error",
)  # fmt: skip


def probe(inputs: Inputs, options: ProbeOptions, output: OutputOptions) -> int:
    """Show what is in video files, what is wrong with them, and which frames would be taken."""
    from hiera_cli.tasks.probe import probe_files

    files = Sources(inputs)
    tally = Tally()
    records = probe_files(files, options=options)
    with RecordWriter(output, Layout(COLUMNS, _rows, _show)) as writer:
        for record in console.progress(records, total=files.num, unit="videos", quiet=output.quiet):
            tally.add(record)
            writer.write(record)
            if isinstance(record, Failure):
                console.show_failure(record)
    return tally.exit_code


def _rows(record: Any) -> list[dict[str, Any]]:
    if isinstance(record, Failure):
        return [{"path": record.path, "error": f"{record.kind}: {record.message}"}]
    row = {name: getattr(record, name) for name in COLUMNS if hasattr(record, name)}
    return [row | {"num_views": len(record.views)}]


def _show(record: Any, stream: IO[str]) -> None:
    """A heading, the facts, and the first and last view."""
    if isinstance(record, Failure):
        return
    from rich.text import Text

    page = console.page(stream)
    page.print(Text(console.fit(printable(record.path), stream), style="bold"))
    turned = f", turned by {record.rotation}°" if record.rotation else ""
    rate = "variable, on average " if record.variable_frame_rate else ""
    facts = [
        f"{record.codec} in {record.container}, {record.pixel_format}",
        f"{record.width}x{record.height} pixels{turned}",
        f"{record.num_frames} frames, {rate}{record.fps:.6g} a second",
        f"{record.start_seconds:.3f} s to {record.start_seconds + record.duration_seconds:.3f} s",
    ]
    for fact in facts:
        page.print(Text(console.wrapped(f"  {fact}", stream, indent=4)))
    for view in record.views:
        if view.crop == 0:
            _show_clip(page, view, stream)
    for warning in record.warnings:
        line = f"  warning: {printable(warning)}"
        page.print(Text(console.wrapped(line, stream, indent=4), style="yellow"))


def _show_clip(page: Any, view: Any, stream: IO[str]) -> None:
    from rich.text import Text

    times = f"{view.times_seconds[0]:.2f}-{view.times_seconds[-1]:.2f} s"
    frames = " ".join(map(str, view.frame_indices))
    line = f"  clip {view.clip}: {times}, frames {frames}"
    page.print(Text(console.wrapped(line, stream, indent=10), style="dim"))
