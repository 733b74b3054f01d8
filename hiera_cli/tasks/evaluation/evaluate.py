"""An evaluation from its options to its result, in Python and behind `hiera eval`."""

import os
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hiera_cli.datasets.dataset import Dataset, read_dataset
from hiera_cli.errors import Failure, NoInputError
from hiera_cli.files import output_errors, write_text
from hiera_cli.inference.engine import Engine
from hiera_cli.inference.open import loader_options, open_engine
from hiera_cli.inputs import printable
from hiera_cli.options import EngineOptions, with_changes
from hiera_cli.tables import Table, begin_table, lock_output, parse_output
from hiera_cli.tables.table import finished_keys
from hiera_cli.tasks.evaluation.files import confusion_csv, metrics_json, per_class_csv
from hiera_cli.tasks.evaluation.metrics import Outcome
from hiera_cli.tasks.evaluation.options import EvaluationOptions
from hiera_cli.tasks.evaluation.predict import (
    DEFAULT_IMAGE_PROTOCOL,
    DEFAULT_PROTOCOL,
    EvaluationPlan,
    plan_evaluation,
    run_evaluation,
    table_columns,
    table_settings,
)
from hiera_cli.tasks.evaluation.summary import (
    Account,
    Summary,
    account_for,
    read_labels_of,
    summarise,
)

PREDICTIONS = "predictions.parquet"
RunEvaluation = Callable[[EvaluationPlan, Engine, Table], Iterator[Outcome | Failure]]


@dataclass(frozen=True, eq=False, slots=True)
class Evaluation:
    """An evaluation that is ready to run, to go on, or to be scored again.

    Attributes:
        dataset: where the data set is.
        folder: where the results go.
        predictions: the table of scores.
        plan: what is to be run.
        engine: what runs it; None where the table is only scored again.
        options: what was asked for.
    """

    dataset: str
    folder: Path
    predictions: Path
    plan: EvaluationPlan
    engine: Engine | None
    options: EvaluationOptions

    @property
    def num_left(self) -> int:
        """How many videos are to be run."""
        if self.engine is None:
            return 0
        again = self.options.on_existing == "overwrite"
        done = set() if again else finished_keys(parse_output(self.predictions))
        return sum(source.name not in done for source in self.plan.files)

    def run(self, run: RunEvaluation = run_evaluation) -> Iterator[Outcome | Failure]:
        """Add every video that the table lacks, in a way that survives being stopped.

        Args:
            run: what runs them: this machine, or others.

        Raises:
            NoInputError: not one of the videos is there.
            UsageError: the table holds results made with other settings.
            OutputError: the table cannot be written; finished videos are kept.
        """
        if self.engine is None:
            return
        plan, output = self.plan, parse_output(self.predictions)
        if not plan.files:
            raise NoInputError(f"none of {len(plan.expected)} videos is there", hint=_look(plan))
        with lock_output(output):
            table = begin_table(
                output,
                table_columns(len(plan.labels)),
                settings=table_settings(self.engine, limit=plan.limit, seed=plan.seed),
                roots=[self.place],
                on_existing=self.options.on_existing,
            )
            yield from run(plan, self.engine, table)
            table.finish(keep_empty=True)

    def result(self) -> tuple[Account, Summary]:
        """What became of every video, and what that says; written beside the predictions.

        Raises:
            UsageError: there are no predictions, or predictions over other classes.
            OutputError: a file cannot be written.
        """
        account = account_for(self.predictions, self.plan)
        summary = summarise(account, dataset=self.place)
        with output_errors(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        write_text(self.folder / "metrics.json", metrics_json(summary))
        write_text(self.folder / "per_class.csv", per_class_csv(account))
        write_text(self.folder / "confusion.csv", confusion_csv(account))
        return account, summary

    @property
    def place(self) -> str:
        """The data set as an absolute path, safe in any text."""
        return printable(os.path.abspath(self.dataset))  # noqa: PTH100 - any bytes


def evaluate(
    dataset: str | os.PathLike[str],
    *,
    out: str | os.PathLike[str] | None = None,
    evaluation: EvaluationOptions | None = None,
    options: EngineOptions | None = None,
    **changes: Any,
) -> Summary:
    """Measure a model's accuracy on a labelled data set.

    Args:
        dataset: a Kinetics folder, class folders, or a list file.
        out: folder for predictions.parquet, metrics.json, per_class.csv and confusion.csv; what
            is finished there is not run again. None: nothing is kept.
        evaluation: annotations, split, limit and so on.
        options: model, protocol (default `paper`), device and so on.
        changes: single fields of either by name, such as `model="camera-motion"`.

    Returns:
        The keys of `metrics.json`.

    Raises:
        UsageError: an option or a data set that cannot mean anything.
        NoInputError: not one video is there.
        WeightsError: the model or its weights are not available or do not fit.
        OutputError: the results cannot be written.
    """
    own = {name: changes.pop(name) for name in set(changes) & _OWN_FIELDS}
    chosen = with_changes(evaluation or EvaluationOptions(), own)
    with ExitStack() as stack:
        if out is None:
            out = stack.enter_context(tempfile.TemporaryDirectory(prefix="hiera-"))
        chosen = replace(chosen, out=Path(out))
        ready = open_evaluation(
            os.fspath(dataset), chosen, with_changes(options or EngineOptions(), changes)
        )
        for _ in ready.run():
            pass
        return ready.result()[1]


_OWN_FIELDS = set(EvaluationOptions.__dataclass_fields__) - {"out"}


def open_evaluation(
    dataset: str,
    evaluation: EvaluationOptions,
    options: EngineOptions,
    *,
    data: Dataset | None = None,
) -> Evaluation:
    """Read the data set, load the model, and decide what is to be run.

    Args:
        dataset: where the data set is.
        evaluation: what is evaluated.
        options: with what.
        data: the data set where it has been read already.

    Raises:
        UsageError: an option or a data set that cannot mean anything.
        WeightsError: the model or its weights are not available or do not fit.
    """
    data = data or read_dataset(
        dataset,
        annotations=evaluation.annotations,
        split=evaluation.split,
        class_names=evaluation.class_names,
        labels_from=evaluation.labels_from,
    )
    if evaluation.rescore is not None:
        engine, labels = None, read_labels_of(evaluation.rescore)
        folder, predictions = evaluation.out or evaluation.rescore.parent, evaluation.rescore
    else:
        engine = open_evaluation_engine(options)
        labels = engine.loaded.labels
        folder = evaluation.out or default_folder(engine.loaded.name, dataset)
        predictions = folder / PREDICTIONS
    plan = plan_evaluation(data, labels, limit=evaluation.limit, seed=evaluation.seed)
    return Evaluation(dataset, folder, predictions, plan, engine, evaluation)


def open_evaluation_engine(options: EngineOptions) -> Engine:
    """The engine; image models see the paper's single center crop unless told otherwise."""
    engine = open_engine(options, protocol=DEFAULT_PROTOCOL)
    preprocessing = engine.loaded.preprocessing
    if preprocessing.num_frames > 1:
        return engine
    return replace(engine, loader=loader_options(options, preprocessing, DEFAULT_IMAGE_PROTOCOL))


def default_folder(model: str, dataset: str) -> Path:
    """`eval-MODEL-DATASET` in the current folder."""
    name = os.path.splitext(os.path.basename(os.path.abspath(dataset)))[0]  # noqa: PTH100, PTH119, PTH122
    return Path("-".join(re.sub(r"[^\w.]+", "_", part) for part in ("eval", model, name)))


def _look(plan: EvaluationPlan) -> str:
    """Where one of the missing videos was looked for, and what is nearest."""
    return plan.dataset.missing_hint or plan.dataset.layout
