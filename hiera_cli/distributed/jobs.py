"""What a cluster can do: feature extraction and evaluation, as tasks for its actors."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from hiera_cli.distributed.cluster import cluster_resources, connected, load_ray, plan_actors
from hiera_cli.distributed.options import RayOptions
from hiera_cli.distributed.pool import Pool
from hiera_cli.distributed.worker import Task
from hiera_cli.errors import Failure
from hiera_cli.inference.engine import Engine
from hiera_cli.inference.open import automatic_workers
from hiera_cli.inputs import InputPath
from hiera_cli.options import EngineOptions
from hiera_cli.remote import absolute
from hiera_cli.tables import Column, RowWriter, Table
from hiera_cli.tasks.evaluation.evaluate import open_evaluation_engine
from hiera_cli.tasks.evaluation.metrics import Outcome
from hiera_cli.tasks.evaluation.options import EvaluationOptions
from hiera_cli.tasks.evaluation.predict import (
    EvaluationPlan,
    table_columns,
    table_settings,
    unfinished,
    write_predictions,
)
from hiera_cli.tasks.features.extract import (
    feature_columns,
    feature_settings,
    open_feature_engine,
)
from hiera_cli.tasks.features.options import FeatureOptions
from hiera_cli.tasks.features.writer import VideoFeatures, write_videos


def _within(engine: Engine, options: EngineOptions, num_cores: int) -> Engine:
    """The engine with as many decoders as the actor's cores are good for."""
    if options.workers != "auto":
        return engine
    preprocessing, on_gpu = engine.loaded.preprocessing, engine.loader.pin_memory
    workers = automatic_workers(preprocessing, on_gpu=on_gpu, cores=num_cores)
    return replace(engine, loader=replace(engine.loader, workers=workers))


def _for_actors(options: EngineOptions) -> EngineOptions:
    """The options as they mean the same on a cluster: every file may crash its decoder."""
    return replace(options, isolate=True if options.isolate is None else options.isolate)


@contextmanager
def _opened_pool(task: Task, options: EngineOptions, cluster: RayOptions) -> Iterator[Pool]:
    with connected(cluster.ray_address) as ray:
        plan = plan_actors(cluster, cluster_resources(ray), use_gpus=options.device != "cpu")
        pool = Pool(ray, task, plan)
        try:
            yield pool
        finally:
            pool.close()


# ----------------------------------------------------------------------------------- features


@dataclass(frozen=True, eq=False, slots=True)
class FeatureTask:
    """Feature extraction."""

    options: EngineOptions
    features: FeatureOptions

    def open(self, num_cores: int) -> "FeatureJob":
        """Load the model."""
        engine = open_feature_engine(self.options, self.features)
        return FeatureJob(_within(engine, self.options, num_cores), self)


@dataclass(frozen=True, eq=False, slots=True)
class FeatureJob:
    """A model that extracts features."""

    engine: Engine
    task: FeatureTask

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns of the table."""
        return feature_columns(self.engine, self.task.features)

    @property
    def settings(self) -> Mapping[str, Any]:
        """What the values depend on."""
        return feature_settings(self.engine, self.task.features, self.task.options)

    def write(
        self, files: Iterable[InputPath], writer: RowWriter
    ) -> Iterator[VideoFeatures | Failure]:
        """Write the features of videos."""
        return write_videos(files, self.engine, writer, self.task.features)


@dataclass(frozen=True, eq=False, slots=True)
class RayWorkers:
    """The actors of a cluster, as workers of `write_features`."""

    pool: Pool

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns of the rows that they make."""
        return self.pool.describe().columns

    @property
    def settings(self) -> Mapping[str, Any]:
        """All that the values in the rows depend on, as JSON."""
        return self.pool.describe().settings or {}

    def run(self, todo: Sequence[InputPath], job: Table) -> Iterator[VideoFeatures | Failure]:
        """Write the features of videos into a table, in the order of finishing."""
        return self.pool.run(reachable(todo), job)


@contextmanager
def open_ray_workers(
    cluster: RayOptions, options: EngineOptions, features: FeatureOptions, /
) -> Iterator[RayWorkers]:
    """Actors with a model each.

    Raises:
        UsageError: ray is not installed, there is no such cluster, or it has too few GPUs.
    """
    with _opened_pool(FeatureTask(_for_actors(options), features), options, cluster) as pool:
        yield RayWorkers(pool)


# --------------------------------------------------------------------------------- evaluation


@dataclass(frozen=True, eq=False, slots=True)
class EvaluationTask:
    """Evaluation; `targets` has the model's class of each video by its key."""

    options: EngineOptions
    evaluation: EvaluationOptions
    targets: Mapping[str, int]

    def open(self, num_cores: int) -> "EvaluationJob":
        """Load the model."""
        engine = open_evaluation_engine(self.options)
        return EvaluationJob(_within(engine, self.options, num_cores), self)


@dataclass(frozen=True, eq=False, slots=True)
class EvaluationJob:
    """A model that is evaluated."""

    engine: Engine
    task: EvaluationTask

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns of the predictions."""
        return table_columns(len(self.engine.loaded.labels))

    @property
    def settings(self) -> Mapping[str, Any]:
        """What the predictions depend on."""
        asked = self.task.evaluation
        return table_settings(self.engine, limit=asked.limit, seed=asked.seed)

    def write(self, files: Iterable[InputPath], writer: RowWriter) -> Iterator[Outcome | Failure]:
        """Write a prediction for each video."""
        return write_predictions(files, self.engine, writer, targets=self.task.targets)


@dataclass(frozen=True, eq=False, slots=True)
class RayEvaluation:
    """Runs evaluations on a cluster, in the place of `run_evaluation`."""

    cluster: RayOptions
    options: EngineOptions
    evaluation: EvaluationOptions

    def __post_init__(self) -> None:
        """Refuse to begin without ray.

        Raises:
            UsageError: it is not installed.
        """
        load_ray()

    def __call__(
        self, plan: EvaluationPlan, engine: Engine, table: Table, /
    ) -> Iterator[Outcome | Failure]:
        """Run the videos that the table lacks; `engine` says what the actors must agree with.

        Raises:
            HieraError: the actors would make other predictions.
        """
        files = unfinished(plan, table)
        if not files:
            return
        task = EvaluationTask(_for_actors(self.options), self.evaluation, plan.targets)
        own = table_settings(engine, limit=plan.limit, seed=plan.seed)
        with _opened_pool(task, self.options, self.cluster) as pool:
            pool.agree(own)
            yield from pool.run(reachable(files), table)


def reachable(files: Sequence[InputPath]) -> list[InputPath]:
    """Paths that mean the same in the folder of another process, or on another machine."""
    return [InputPath(absolute(file.path), file.name) for file in files]
