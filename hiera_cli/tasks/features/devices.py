"""Several devices of one machine: a process for each, fed from one queue of videos."""

import multiprocessing
import os
import queue
import signal
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from typing import Any

from hiera_cli.errors import Failure, HieraError, UsageError
from hiera_cli.inputs import InputPath
from hiera_cli.options import EngineOptions
from hiera_cli.tables import Column, Output, TableWriter
from hiera_cli.tasks.features.extract import open_feature_engine
from hiera_cli.tasks.features.options import FeatureOptions
from hiera_cli.tasks.features.writer import VideoFeatures, write_videos

POLL_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class DeviceWork:
    """What every process needs to know; its own device is in `options`."""

    output: Output
    columns: tuple[Column, ...]
    features: FeatureOptions
    options: EngineOptions


@dataclass(frozen=True, slots=True)
class _Stopped:
    """The last word of a process: nothing, or the error that ended it."""

    message: str = ""
    hint: str = ""


def parse_devices(text: str | None) -> tuple[str, ...]:
    """The devices that a `--devices` value names; numbers are CUDA devices.

    Raises:
        UsageError: an empty name.
    """
    if text is None:
        return ()
    names = tuple(name.strip() for name in text.split(","))
    if not all(names):
        raise UsageError(f"--devices is '{text}'", hint="name them as 0,1 or cuda:0,cuda:1")
    return tuple(f"cuda:{name}" if name.isdecimal() else name for name in names)


def run_on_devices(
    files: Sequence[InputPath], work: DeviceWork, devices: Sequence[str]
) -> Iterator[VideoFeatures | Failure]:
    """Write the features of videos on all devices at once.

    Yields:
        what became of each video, in the order in which they were finished.

    Raises:
        HieraError: a process ended before its work did; the others are stopped, and what is
            finished stays.
    """
    context = multiprocessing.get_context("spawn")
    jobs, records = context.Queue(), context.Queue()
    for job in (*files, *[None] * len(devices)):
        jobs.put(job)
    processes = []
    for device in devices:
        own = replace(work, options=replace(work.options, device=device))
        processes.append(context.Process(target=_work, args=(own, jobs, records), daemon=True))
    try:
        for process in processes:
            process.start()
        yield from _collect(processes, records)
    finally:
        jobs.cancel_join_thread()
        for process in processes:
            process.terminate()


def _collect(
    processes: Sequence[BaseProcess], records: "multiprocessing.Queue[Any]"
) -> Iterator[VideoFeatures | Failure]:
    """Records of all processes until each has said its last word."""
    num_running = len(processes)
    while num_running:
        try:
            record = records.get(timeout=POLL_SECONDS)
        except queue.Empty:
            _check_alive(processes)
            continue
        if not isinstance(record, _Stopped):
            yield record
        elif record.message:
            raise HieraError(record.message, hint=record.hint)
        else:
            num_running -= 1


def _check_alive(processes: Sequence[BaseProcess]) -> None:
    for process in processes:
        if process.exitcode:  # None: running; 0: its last word is still on the way
            raise HieraError(
                f"a worker process died (exit code {process.exitcode})",
                hint="finished work is kept: run the same command again",
            )


def _work(work: DeviceWork, jobs: Any, records: Any) -> None:
    """Take videos from the queue until there are none."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides when to stop
    threading.Thread(target=_exit_with_parent, daemon=True).start()
    try:
        engine = open_feature_engine(work.options, work.features)
        with TableWriter(work.output, work.columns) as writer:
            for record in write_videos(iter(jobs.get, None), engine, writer, work.features):
                records.put(record)
    except HieraError as error:
        records.put(_Stopped(error.message, error.hint))
    else:
        records.put(_Stopped())


def _exit_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
