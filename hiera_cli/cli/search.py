"""`hiera search`: clips like this one, clips that are there twice, groups of clips."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import typer

from hiera_cli.cli import console
from hiera_cli.cli.options import OutputOptions
from hiera_cli.cli.records import Layout, RecordWriter
from hiera_cli.errors import UsageError
from hiera_cli.inputs import printable
from hiera_cli.options import EngineOptions

if TYPE_CHECKING:
    from hiera_cli.tasks.search.neighbours import Neighbour


def _flag(*names: str, help: str) -> Any:  # noqa: A002
    return typer.Option(*names, help=help, rich_help_panel="Search")


FLAGS = {
    "table": typer.Argument(metavar="TABLE", help="What extract-features wrote."),
    "like": _flag("--like", help="Clips like this one: CLIP, or CLIP#START-END in seconds."),
    "like_row": _flag("--like-row", help="Clips like this row of the table, from 0."),
    "top_k": _flag("-k", "--top-k", help="How many clips."),
    "mirrored": _flag("--mirrored", help="Look for the clip's mirror image as well."),
    "boxed": _flag("--boxed", help="Look for the clip between black bars as well."),
    "centered": _flag("--center", help="Take the table's mean feature off first."),
    "approximate": _flag(
        "--approximate", help="By an index (faiss), made once beside the table: for millions."
    ),
    "duplicates": _flag("--duplicates", help="Clips that are nearly the same in several files."),
    "least_score": _flag("--least-score", help="Cosine from which clips are the same."),
    "cluster": _flag("--cluster", help="Put the clips into so many groups."),
    "seed": _flag("--seed", help="Of the grouping."),
    "html": _flag("--html", help="A page with frames of the clips, or a map of the groups."),
    "plot": _flag("--plot", help="A map of the groups as PNG."),
    "save_clips": _flag("--save-clips", help="Folder for a file a clip that was found."),
    "root": _flag("--root", help="Where the videos are now."),
}


def search(
    table: Path,
    engine: EngineOptions,
    output: OutputOptions,
    like: str | None = None,
    like_row: int | None = None,
    top_k: int = 10,
    mirrored: bool = False,
    boxed: bool = False,
    centered: bool = False,
    approximate: bool = False,
    duplicates: bool = False,
    least_score: float = 0.98,
    cluster: int | None = None,
    seed: int = 0,
    html: Path | None = None,
    plot: Path | None = None,
    save_clips: Path | None = None,
    root: str | None = None,
) -> int:
    """Find clips in a table of features by cosine similarity."""
    asked = [like is not None, like_row is not None, duplicates, cluster is not None]
    if sum(asked) != 1:
        raise UsageError(
            "say what to look for", hint="--like, --like-row, --duplicates or --cluster"
        )
    from hiera_cli.tasks.search.rows import read_table_metadata, table_mean

    made = read_table_metadata(table)
    center = table_mean(table) if centered else None
    records: Sequence[Any]
    if like is not None or like_row is not None:
        found = _query(table, made, engine, like, like_row, _variants(mirrored, boxed))
        records = _nearest(table, found, center, num=max(top_k, 1), approximate=approximate)
        title = f"Clips like {like if like is not None else f'row {like_row}'}"
    elif cluster is None:
        records = _repeated(table, center, least_score)
        title = "Clips that are there more than once"
    else:
        records = _grouped(table, center, cluster, seed, plot)
        title = f"{cluster} groups"
    _write(records, output)
    if html is not None:
        from hiera_cli.report.search_page import write_search_page

        write_search_page(records, html, title=title, made=made, root=root)
    if save_clips is not None:
        _save(records, save_clips, made, root, engine)
    return 0


def _repeated(table: Path, center: Any, least_score: float) -> Sequence[Any]:
    """Groups of clips that are nearly the same."""
    from hiera_cli.tasks.search.groups import find_duplicates, load_vectors

    return tuple(find_duplicates(*load_vectors(table, center=center), least_score=least_score))


def _nearest(
    table: Path, query: tuple[Any, frozenset[int]], center: Any, *, num: int, approximate: bool
) -> Sequence[Any]:
    """The clips nearest to vectors, without the rows that are not answers."""
    from hiera_cli.tasks.search.approximate import find_approximately
    from hiera_cli.tasks.search.neighbours import find_neighbours
    from hiera_cli.tasks.search.rows import unit

    find, (vectors, left_out) = find_approximately if approximate else find_neighbours, query
    return find(table, unit(vectors, center), num=num, center=center, leave_out=left_out)


def _grouped(table: Path, center: Any, num: int, seed: int, plot: Path | None) -> Sequence[Any]:
    """Clips in groups, and a map of them where one is wanted."""
    from hiera_cli.tasks.search.groups import cluster, load_vectors, principal_map

    clips, vectors = load_vectors(table, center=center)
    records = cluster(clips, vectors, num, seed=seed)
    if plot is not None:
        from hiera_cli.report.map_plot import draw_map

        draw_map(principal_map(vectors), [record.cluster for record in records], plot)
    return records


def _query(
    table: Path,
    made: Any,
    options: EngineOptions,
    like: str | None,
    like_row: int | None,
    variants: list[Any],
) -> tuple[Any, frozenset[int]]:
    """Vectors to look for, and rows that are not answers."""
    from hiera_cli.tasks.search.rows import row_at

    if like is None:
        assert like_row is not None
        return row_at(table, like_row)[1], frozenset({like_row})
    import numpy as np

    from hiera_cli.tasks.search.query import open_query_engine, parse_like, query_vectors

    engine, clip = open_query_engine(table, made, options), parse_like(like)
    found = [query_vectors(clip, engine, made, variant=variant) for variant in variants]
    return np.concatenate(found), frozenset()


def _variants(mirrored: bool, boxed: bool) -> list[Any]:
    """The copies of the clip that are looked for."""
    bars = ["letterboxed", "pillarboxed"] if boxed else []
    return ["plain", *(["mirrored"] if mirrored else []), *bars]


def _save(
    records: "Sequence[Neighbour]", folder: Path, made: Any, root: str | None, engine: EngineOptions
) -> None:
    from hiera_cli.cli.timeline_files import FreshNames
    from hiera_cli.tasks.search.rows import find_video
    from hiera_cli.video.cut import Cut, cut_video
    from hiera_cli.video.decode import Limits, probe

    folder.mkdir(parents=True, exist_ok=True)
    names, limits = FreshNames(), Limits.of(engine)
    for record in records:
        path = find_video(record.path, made, root)
        name = names.name(f"{Path(path).stem}_{record.start_seconds:08.2f}", ".mp4")
        cut = Cut(record.start_seconds, record.end_seconds, folder / name)
        for _ in cut_video(probe(path, limits=limits), [cut], limits=limits):
            pass


def _write(records: Iterable[Any], output: OutputOptions) -> None:
    rows = list(records)
    columns = [field.name for field in fields(rows[0])] if rows else ["path", "score"]
    layout = Layout(columns, lambda record: [asdict(record)], _show)
    with RecordWriter(output, layout) as writer:
        for record in rows:
            writer.write(record)
    if not rows and not output.quiet:
        console.say("nothing found")


def _show(record: Any, stream: IO[str]) -> None:
    """A line a clip."""
    values = asdict(record)
    number = next(iter(values.values()))
    times = f"{record.start_seconds:9.2f} - {record.end_seconds:.2f}"
    line = f"{number:4d}  {record.score:6.3f}  {times:22}  "
    path = console.fit(printable(record.path), stream, beside=len(line))
    stream.write(f"{line}{path}\n")
