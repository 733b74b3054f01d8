"""From labelled videos to a model folder: features once, a head in seconds, and what to expect."""

from collections.abc import Generator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from hiera_cli.checkpoints.open import LoadedModel, open_model
from hiera_cli.errors import Failure, NoInputError, UsageError
from hiera_cli.files import output_errors
from hiera_cli.heads.choose import (
    Choice,
    ChosenFeatures,
    choose_features,
    choose_setting,
    held_out_scores,
)
from hiera_cli.heads.examples import Examples
from hiera_cli.heads.heads import fit_head
from hiera_cli.inference.precision import exactly
from hiera_cli.inputs import InputPath
from hiera_cli.options import EngineOptions
from hiera_cli.tables import read_metadata, read_rows
from hiera_cli.tasks.evaluation.evaluate import open_evaluation
from hiera_cli.tasks.evaluation.metrics import Outcome
from hiera_cli.tasks.evaluation.options import EvaluationOptions
from hiera_cli.tasks.evaluation.summary import Summary
from hiera_cli.tasks.features.options import FeatureOptions, TableOptions
from hiera_cli.tasks.features.table import Started, write_features
from hiera_cli.tasks.features.writer import VideoFeatures
from hiera_cli.tasks.fit.findings import Findings, find
from hiera_cli.tasks.fit.joined import read_examples
from hiera_cli.tasks.fit.labelled import by_table_path
from hiera_cli.tasks.fit.options import FitOptions
from hiera_cli.tasks.fit.result import Fitted
from hiera_cli.tasks.fit.save import save_fitted
from hiera_cli.tasks.fit.source import Source, Understood, read_source

Record = Understood | Started | VideoFeatures | Failure | Outcome | Fitted


def fit(dataset: str | None, options: FitOptions, engine: EngineOptions) -> Iterator[Record]:
    """Fit a head to the features of a data set and write a model folder.

    Args:
        dataset: class folders, a Kinetics folder or a list file; with `train` and `val` splits the
            first is fitted to and the second judged on. None: `options.features` with labels.
        options: which head, and where it goes.
        engine: the network and the views; its `labels` are the label file of `options.features`.

    Yields:
        `Understood`; for each video what became of its features; outcomes of the validation; at
        the end `Fitted`.

    Raises:
        UsageError: data or options that cannot mean anything.
        NoInputError: not one video could be read.
        WeightsError: the model or its weights are not available.
        OutputError: the folder cannot be written.
    """
    if options.out is None:
        raise UsageError("fit needs --out", hint="add --out my-model")
    out = options.out
    source = read_source(dataset, options, engine)
    yield source.understood
    engine = replace(engine, labels=None)
    num_failed = 0
    if options.features is None:
        for record in _extract(source, options, engine):
            num_failed += isinstance(record, Failure)
            yield record
    loaded = _backbone(options, engine)
    chosen = _choose(_join(source), source.table, loaded, options)
    findings = _judge(chosen.examples, chosen.choice, options)
    _save(out, loaded, chosen, findings, options)
    val = None
    if source.val is not None:
        val = yield from _validate(source, options, engine, out)
    yield Fitted(
        folder=out,
        backbone=loaded.name,
        head_stages=chosen.head_stages,
        classes=chosen.examples.classes,
        counts=tuple(map(int, chosen.examples.counts)),
        num_videos=len(chosen.examples),
        num_failed=num_failed,
        num_missing=source.understood.num_missing,
        choice=chosen.choice,
        findings=findings,
        val=val,
    )


def _choose(
    examples: Examples, table: Path, loaded: LoadedModel, options: FitOptions
) -> ChosenFeatures:
    """What the head sees of the features in the table, and with which setting it is fitted."""
    config = loaded.model.config
    if read_metadata(table)["layer"] == "stages":
        return choose_features(examples, options, last_dim=config.stage_dims[-1])
    return ChosenFeatures(config.head_stages, examples, choose_setting(examples, options))


def _judge(examples: Examples, choice: Choice, options: FitOptions) -> Findings:
    """What cross-validation says of the head and of the clips."""
    scores = held_out_scores(
        examples,
        choice.setting,
        num_folds=choice.num_folds,
        balanced=choice.balanced,
        options=options,
    )
    held_out = scores.numpy()
    return find(examples, held_out, multi_label=options.multi_label, seed=options.seed)


def _extract(
    source: Source, options: FitOptions, engine: EngineOptions
) -> Iterator[Started | VideoFeatures | Failure]:
    """Features of all videos that are there, into the table beside the model folder."""
    files = [InputPath(v.path, v.name) for v in source.videos if v.path is not None]
    if not files:
        raise NoInputError(f"{source.understood.layout}: not one of its videos exists")
    with output_errors(source.table):
        source.table.parent.mkdir(parents=True, exist_ok=True)
    yield from write_features(
        files,
        source.table,
        features=FeatureOptions(
            layer="stages" if engine.backend in ("torch", "compile") else "final",
            absolute_paths=True,  # the same name elsewhere is another video
        ),
        options=replace(exactly(engine), protocol=engine.protocol or source.protocol),
        table=TableOptions(on_existing=options.on_existing),
    )


def _join(source: Source) -> Examples:
    paths = {path for rows in read_rows(source.table, columns=["path"]) for path in rows["path"]}
    if not paths:
        raise NoInputError(
            "none of the videos could be read", hint="`hiera probe` says what is wrong with them"
        )
    videos = by_table_path(source.videos, paths)
    return read_examples(source.table, videos, source.understood.classes)


def _backbone(options: FitOptions, engine: EngineOptions) -> LoadedModel:
    """The network that the features are of.

    Raises:
        UsageError: a table of other features than a head sees, or of another network.
    """
    if options.features is None:
        return _open(engine)
    made = read_metadata(options.features)
    if made.get("layer") not in ("final", "stages") or made.get("pool") != "mean":
        raise UsageError(
            f"{options.features} does not hold what a head sees",
            hint="extract with --layer stages, or final, and --pool mean",
        )
    notes = made.get("notes") or {}
    default = engine.model == EngineOptions().model
    if default and notes.get("model"):
        engine = replace(engine, model=notes["model"], weights=notes.get("weights"))
    loaded = _open(engine)
    if loaded.weights_sha256 != made.get("weights_sha256"):
        raise UsageError(
            f"{options.features} was made with other weights than those of {loaded.name}",
            hint=f"give the model with -m; it was {made.get('model')}",
        )
    return loaded


def _open(engine: EngineOptions) -> LoadedModel:
    return open_model(
        engine.model,
        weights=engine.weights,
        offline=engine.offline,
        cache_dir=engine.cache_dir,
        need_head=False,
    )


def _save(
    out: Path,
    loaded: LoadedModel,
    chosen: ChosenFeatures,
    findings: Findings,
    options: FitOptions,
) -> None:
    """Fit to all videos, and write the folder with what to expect of it."""
    stages, examples, choice = chosen.head_stages, chosen.examples, chosen.choice
    fitted = fit_head(
        examples, choice.setting, balanced=choice.balanced, multi_label=options.multi_label
    )
    about: dict[str, Any] = {
        "backbone": loaded.name,
        "backbone_sha256": loaded.weights_sha256,
        "head": str(choice.setting),
        "head_stages": list(stages),
        "num_videos": len(examples),
        "cv_top1": round(findings.top1, 4),
        "cv_balanced_accuracy": round(findings.balanced_accuracy, 4),
        "cv_macro_f1": round(findings.macro_f1, 4),
    }
    extra: dict[str, Any] = {"fit": about}
    if options.multi_label:
        extra["multi_label"] = True
    save_fitted(out, loaded, fitted, head_stages=stages, labels=examples.classes, extra=extra)


def _validate(
    source: Source, options: FitOptions, engine: EngineOptions, out: Path
) -> Generator[Outcome | Failure, None, Summary]:
    """Judge the folder that was written, as `eval` does; the results are in its `val` folder."""
    assert source.val is not None
    place, split = source.val
    evaluation = EvaluationOptions(
        annotations=options.annotations if split else None,
        split=split,
        class_names=options.class_names,
        labels_from=options.labels_from,
        out=out / "val",
        on_existing="overwrite",
    )
    protocol = engine.protocol or source.protocol
    engine = replace(engine, model=str(out), weights=None, protocol=protocol)
    ready = open_evaluation(place, evaluation, engine)
    yield from ready.run()
    return ready.result()[1]
