"""`hiera explore`: a page with a map of all clips, and the clips that a head is unsure of."""

from dataclasses import asdict
from pathlib import Path
from typing import IO, Any, Literal

import typer

from hiera_cli.cli import console
from hiera_cli.cli.options import OutputOptions
from hiera_cli.cli.records import Layout, RecordWriter
from hiera_cli.cli.units import counted
from hiera_cli.errors import UsageError
from hiera_cli.inputs import printable

MapChoice = Literal["pca", "umap"]
COLUMNS = ("path", "clip_index", "start_seconds", "end_seconds", "label", "score", "margin")


def _flag(*names: str, help: str) -> Any:  # noqa: A002
    return typer.Option(*names, help=help, rich_help_panel="Explore")


FLAGS = {
    "table": typer.Argument(metavar="TABLE", help="What extract-features wrote."),
    "out": _flag("-o", "--out", help="Folder of the page; with --uncertain a file."),
    "layout": _flag("--map", help="pca or umap."),
    "head": _flag("--head", help="A model (of hiera fit or finetune) whose head says the class."),
    "uncertain": _flag("--uncertain", help="List so many videos that the head is least sure of."),
    "root": _flag("--root", help="Where the videos are now."),
}


def explore(
    table: Path,
    output: OutputOptions,
    layout: MapChoice = "pca",
    head: str | None = None,
    uncertain: int | None = None,
    root: str | None = None,
) -> int:
    """Make a page that shows all clips of a table on a map; it opens from the disk."""
    from hiera_cli.tasks.search.rows import read_table_metadata

    made = read_table_metadata(table)
    if uncertain is not None:
        return _list_unsure(table, made, uncertain, head, root, output)
    if output.out is None:
        raise UsageError("explore needs --out", hint="add --out page/")
    from hiera_cli.report.explore_page import write_explore_page
    from hiera_cli.tasks.search.atlas import make_atlas

    atlas = make_atlas(table, made, layout=layout, head=head)
    steps = write_explore_page(atlas, output.out, title=str(table), made=made, root=root)
    for _ in console.progress(steps, total=None, unit="videos", quiet=output.quiet):
        pass
    if not output.quiet:
        console.say(f"{counted(len(atlas.clips), 'clip')}: open {output.out / 'index.html'}")
    return 0


def _list_unsure(
    table: Path, made: Any, num: int, head: str | None, root: str | None, output: OutputOptions
) -> int:
    """Records of the clips, or with --out LIST.txt the paths alone, for `@LIST.txt`."""
    from hiera_cli.files import write_text
    from hiera_cli.tasks.search.atlas import least_sure
    from hiera_cli.tasks.search.rows import find_video

    records = least_sure(table, made, num, head=head)
    if output.out is not None and output.out.suffix == ".txt" and output.format is None:
        lines = (f"{find_video(record.path, made, root)}\n" for record in records)
        write_text(output.out, "".join(lines))
        return 0
    layout = Layout(COLUMNS, lambda record: [asdict(record)], _show)
    with RecordWriter(output, layout) as writer:
        for record in records:
            writer.write(record)
    return 0


def _show(record: Any, stream: IO[str]) -> None:
    times = f"{record.start_seconds:9.2f} - {record.end_seconds:.2f}"
    label = f"{record.score:6.1%}  {printable(record.label)}"
    stream.write(f"{record.margin:6.3f}  {label:28}  {times:22}  {printable(record.path)}\n")
