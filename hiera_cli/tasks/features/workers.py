"""Who computes the features of a table: what they make, and the making of it."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from typing import Any, Protocol

from hiera_cli.errors import Failure
from hiera_cli.inference.engine import Engine
from hiera_cli.inputs import InputPath
from hiera_cli.options import EngineOptions
from hiera_cli.tables import Column, Table
from hiera_cli.tasks.features.devices import DeviceWork, run_on_devices
from hiera_cli.tasks.features.extract import (
    feature_columns,
    feature_settings,
    open_feature_engine,
)
from hiera_cli.tasks.features.options import FeatureOptions
from hiera_cli.tasks.features.writer import VideoFeatures, write_videos


class Workers(Protocol):
    """One process or many, on this machine or on others."""

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns of the rows that they make."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """All that the values in the rows depend on, as JSON."""

    def run(self, todo: Sequence[InputPath], job: Table) -> Iterator[VideoFeatures | Failure]:
        """Write the features of videos into a table, and say what became of each."""


class OpenWorkers(Protocol):
    """Makes workers; what they hold is freed when the block ends."""

    def __call__(
        self, options: EngineOptions, features: FeatureOptions, /
    ) -> AbstractContextManager[Workers]:
        """Workers for these options."""


@dataclass(frozen=True, eq=False, slots=True)
class LocalWorkers:
    """The present process, or one for each of several devices of this machine.

    Attributes:
        engine: the model; with several devices it only says what they make.
        options: the user's choices.
        features: which features are taken.
        devices: the devices; none for the one in `options`.
    """

    engine: Engine
    options: EngineOptions
    features: FeatureOptions
    devices: tuple[str, ...]

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns of the rows."""
        return feature_columns(self.engine, self.features)

    @property
    def settings(self) -> Mapping[str, Any]:
        """All that the values in the rows depend on, as JSON."""
        device = self.devices[0] if self.devices else self.options.device
        return feature_settings(self.engine, self.features, replace(self.options, device=device))

    def run(self, todo: Sequence[InputPath], job: Table) -> Iterator[VideoFeatures | Failure]:
        """Write the features of videos into a table."""
        if self.devices:
            work = DeviceWork(job.output, job.columns, self.features, self.options)
            yield from run_on_devices(todo, work, self.devices)
            return
        with job.writer() as writer:
            yield from write_videos(todo, self.engine, writer, self.features)


@contextmanager
def open_local_workers(
    devices: tuple[str, ...], options: EngineOptions, features: FeatureOptions, /
) -> Iterator[LocalWorkers]:
    """Workers on this machine.

    Raises:
        UsageError: an option that cannot mean anything.
        WeightsError: the model or its weights are not available or do not fit.
    """
    own = replace(options, device="cpu") if devices else options
    yield LocalWorkers(open_feature_engine(own, features), options, features, devices)
