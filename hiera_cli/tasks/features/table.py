"""Feature extraction into a Parquet table that survives being killed."""

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

from hiera_cli.archives import in_reading_order
from hiera_cli.errors import Failure, UsageError
from hiera_cli.inputs import InputPath, printable
from hiera_cli.options import EngineOptions
from hiera_cli.remote import is_remote
from hiera_cli.tables import (
    Output,
    Table,
    begin_table,
    finished_keys,
    lock_output,
    parse_output,
)
from hiera_cli.tables.completeness import ShareNote
from hiera_cli.tables.stored import fetched, is_folder_url, stored
from hiera_cli.tasks.features.devices import parse_devices
from hiera_cli.tasks.features.extract import named, roots
from hiera_cli.tasks.features.options import FeatureOptions, TableOptions
from hiera_cli.tasks.features.shares import Share, parse_share
from hiera_cli.tasks.features.workers import OpenWorkers, Workers, open_local_workers
from hiera_cli.tasks.features.writer import VideoFeatures


@dataclass(frozen=True, slots=True)
class Started:
    """How much there is to do.

    Attributes:
        num_videos: inputs, or this share of them.
        num_finished: those that an earlier run finished.
        num_failed: those that failed in an earlier run and are not tried again.
    """

    num_videos: int
    num_finished: int
    num_failed: int


def write_features(
    files: Iterable[InputPath],
    out: str | os.PathLike[str],
    *,
    features: FeatureOptions | None = None,
    options: EngineOptions | None = None,
    table: TableOptions | None = None,
    open_workers: OpenWorkers | None = None,
) -> Iterator[Started | VideoFeatures | Failure]:
    """Extract features into a table; a run that was killed is continued by the next one.

    The table appears, or changes, when the last video is done.

    Args:
        files: the videos.
        out: a Parquet file, or a folder for several, or a URL of either.
        features: layer, pooling and so on.
        options: model, protocol (default `dense`), device and so on.
        table: what to do with what is there already, and which share to work on.
        open_workers: who computes; None: this machine.

    Yields:
        a `Started`, the failures of earlier runs that stand, then what becomes of each video.

    Raises:
        UsageError: an option that cannot mean anything, or settings that differ from those of
            the rows that are there already.
        OutputError: the output cannot be written, or another run is writing it.
        WeightsError: the model or its weights are not available or do not fit.
    """
    features, table = features or FeatureOptions(), table or TableOptions()
    options = options or EngineOptions()
    share = parse_share(table.shard)
    everything = plan_sources(files, features, None)
    sources = share.of(everything) if share else everything
    open_workers = open_workers or partial(open_local_workers, parse_devices(table.devices))
    with (
        _place(out, table) as output,
        lock_output(output),
        open_workers(options, features) as workers,
    ):
        notes = {"share": _describe(share, everything)} if share else {}
        job = _begin(sources, output, workers, options, table, notes)
        todo, failed = _todo(sources, job, retry_failed=table.retry_failed)
        yield Started(len(sources), len(sources) - len(todo) - len(failed), len(failed))
        yield from failed
        if todo:
            yield from workers.run(todo, job)
        job.finish(keep_empty=share is not None)  # a share that is not there is missing


@contextmanager
def _place(out: str | os.PathLike[str], table: TableOptions) -> Iterator[Output]:
    """Where the rows go; for a URL that is a local place, and at the end the store."""
    if not is_remote(os.fspath(out)):
        yield plan_output(out, table)
        return
    url = url_of_output(os.fspath(out), table)
    with stored(url) as path:
        yield parse_output(f"{path}/" if url.endswith("/") else path)


def finished_names(out: str | os.PathLike[str], table: TableOptions) -> set[str]:
    """Names of the videos that need no work; changes nothing."""
    if not is_remote(os.fspath(out)):
        return finished_keys(plan_output(out, table))
    url = url_of_output(os.fspath(out), table)
    with fetched(url) as path:
        return finished_keys(parse_output(f"{path}/" if url.endswith("/") else path))


def output_names(out: str | os.PathLike[str], table: TableOptions) -> tuple[str, str]:
    """What the result and its list of failures are called."""
    if not is_remote(os.fspath(out)):
        output = plan_output(out, table)
        return str(output.path), str(output.errors)
    url = url_of_output(os.fspath(out), table)
    return url, f"{url.rstrip('/')}.errors.jsonl"


def url_of_output(out: str, table: TableOptions) -> str:
    """The URL that rows go to; with a slash at its end that of a folder.

    Raises:
        UsageError: every task of a job array would write the same file.
    """
    share, is_folder = parse_share(table.shard), is_folder_url(out)
    if share is not None and is_folder:
        return f"{out.rstrip('/')}/{_share_name(share)}"
    if table.shard == "auto":
        raise UsageError(
            f"with --shard auto all tasks would write {out}",
            hint="name a folder, with a slash at its end",
        )
    return f"{out.rstrip('/')}/" if is_folder else out


def _share_name(share: Share) -> str:
    return f"shard-{share.index:05d}-of-{share.num_shares:05d}.parquet"


def _describe(share: Share, everything: Sequence[InputPath]) -> dict[str, Any]:
    """What `hiera merge` needs to know to find out whether all inputs are accounted for."""
    names = "\0".join(source.name for source in everything)
    return asdict(
        ShareNote(
            index=share.index,
            num_shares=share.num_shares,
            num_inputs=len(share.of(everything)),
            inputs_sha256=hashlib.sha256(names.encode()).hexdigest(),
        )
    )


def plan_sources(
    files: Iterable[InputPath], features: FeatureOptions, share: Share | None
) -> Sequence[InputPath]:
    """The inputs under the names that stand in the table, sorted by them; or a share of those.

    Raises:
        UsageError: two of them have the same name.
    """
    sources = sorted((named(source, features) for source in files), key=lambda s: s.name)
    for one, other in pairwise(sources):
        if one.name == other.name:
            raise UsageError(
                f"'{printable(one.path)}' and '{printable(other.path)}' would both be "
                f"'{one.name}' in the table",
                hint="add --absolute-paths",
            )
    return share.of(sources) if share else sources


def plan_output(out: str | os.PathLike[str], table: TableOptions) -> Output:
    """Where the rows go; a share of a folder has a file of its own in it.

    Raises:
        UsageError: every task of a job array would write the same file.
    """
    output, share = parse_output(out), parse_share(table.shard)
    if share is None:
        return output
    if output.is_folder:
        return Output(output.path / _share_name(share), is_folder=False)
    if table.shard == "auto":
        raise UsageError(
            f"with --shard auto all tasks would write {output.path}",
            hint=f"name a folder: --out {output.path.with_suffix('')}/",
        )
    return output


def _begin(
    sources: Sequence[InputPath],
    output: Output,
    workers: Workers,
    options: EngineOptions,
    table: TableOptions,
    notes: Mapping[str, Any],
) -> Table:
    return begin_table(
        output,
        workers.columns,
        settings=workers.settings,
        roots=roots(sources),
        notes={
            "model": _reference(options.model),
            "weights": _reference(options.weights),
            **notes,
        },
        on_existing=table.on_existing,
        rows_per_shard=table.rows_per_shard,
    )


def _reference(name: str | None) -> str | None:
    """What names the model from any folder: an absolute path, or a name of the zoo."""
    return str(Path(name).absolute()) if name and Path(name).exists() else name


def _todo(
    sources: Sequence[InputPath], job: Table, *, retry_failed: bool
) -> tuple[list[InputPath], list[Failure]]:
    """The inputs to work on, as they are best read, and the failures of those left alone."""
    todo, failed = [], []
    for source in sources:
        if source.name in job.finished:
            continue
        if source.name in job.failures and not retry_failed:
            failed.append(job.failures[source.name])
        else:
            todo.append(source)
    return in_reading_order(todo, lambda source: source.path), failed


def unfinished(sources: Sequence[InputPath], output: Output) -> list[InputPath]:
    """The inputs without rows yet; looks, and changes nothing."""
    finished = finished_keys(output)
    return [source for source in sources if source.name not in finished]
