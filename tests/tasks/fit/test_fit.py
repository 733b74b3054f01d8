"""Fitting end to end, on small clips with a tiny random network."""

import json
import os
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hiera_cli import classify
from hiera_cli.checkpoints.open import open_model
from hiera_cli.errors import Failure, NoInputError, UsageError
from hiera_cli.heads.choose import Choice, choose_setting
from hiera_cli.heads.examples import Examples
from hiera_cli.heads.heads import fit_head, score_videos
from hiera_cli.heads.options import HeadOptions
from hiera_cli.inputs import expand_inputs
from hiera_cli.options import EngineOptions
from hiera_cli.tables import read_rows
from hiera_cli.tasks.classify import Classification
from hiera_cli.tasks.features.table import write_features
from hiera_cli.tasks.fit.fit import fit
from hiera_cli.tasks.fit.joined import read_examples
from hiera_cli.tasks.fit.labelled import LabelledVideo
from hiera_cli.tasks.fit.options import FitOptions
from hiera_cli.tasks.fit.result import Fitted, as_json
from hiera_cli.tasks.fit.source import Understood
from hiera_cli.video.isolation import worker
from hiera_cli.video.isolation.parent import DecodeProcess
from tests.media import write_frames


def write_tinted(path: Path, tint: int, seed: int) -> None:
    """Noise in one colour channel: what the classes differ in."""
    rng = np.random.default_rng([tint, seed])
    frames = np.full((20, 48, 64, 3), 40, dtype=np.uint8)
    frames[..., tint] = rng.integers(120, 255, (20, 48, 64))
    write_frames(path, frames)


@pytest.fixture(scope="session")
def colours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixteen clips of three colours to fit to, and six to judge on."""
    root = tmp_path_factory.mktemp("colours")
    for split, counts in (("train", (8, 5, 3)), ("val", (2, 2, 2))):
        for tint, (name, count) in enumerate(zip(("red", "green", "blue"), counts, strict=True)):
            for index in range(count):
                write_tinted(
                    root / split / name / f"{index}.mp4", tint, index + 100 * (split == "val")
                )
    return root


def options(model: Path) -> EngineOptions:
    return EngineOptions(model=str(model), device="cpu", workers="1", threads=1)


def last(records: list[object]) -> Fitted:
    assert isinstance(records[-1], Fitted)
    return records[-1]


@pytest.fixture(scope="session")
def fitted(colours: Path, tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Fitted:
    out = tmp_path_factory.mktemp("fit") / "mine"
    return last(list(fit(str(colours), FitOptions(out=out), options(tiny_model))))


def test_colours_are_told_apart(fitted: Fitted) -> None:
    assert fitted.classes == ("blue", "green", "red")
    assert fitted.counts == (3, 5, 8)
    assert (fitted.num_videos, fitted.num_failed, fitted.num_missing) == (16, 0, 0)
    assert fitted.findings.top1 > 0.9
    assert fitted.findings.majority == 0.5
    assert np.array(fitted.findings.confusion).sum() == 16
    assert fitted.val is not None
    assert fitted.val.top1 == 1.0
    assert fitted.val.num_evaluated == 6


def test_the_folder_is_a_model_like_any_other(fitted: Fitted, tiny_model: Path) -> None:
    loaded, before = open_model(str(fitted.folder)), open_model(str(tiny_model))
    assert loaded.labels == fitted.classes
    assert loaded.name == "mine"
    assert not loaded.multi_label
    assert loaded.preprocessing == before.preprocessing
    for name, value in before.model.state_dict().items():
        if not name.startswith("head."):
            assert value.equal(loaded.model.state_dict()[name])
    about = json.loads((fitted.folder / "config.json").read_text())["fit"]
    assert about["backbone"] == "tiny"
    assert about["cv_top1"] == round(fitted.findings.top1, 4)


@pytest.mark.parametrize("head_stages", [(), (2, 3)])
@pytest.mark.parametrize("head", ["linear", "knn"])
def test_what_is_cross_validated_is_what_classify_does(
    colours: Path,
    tiny_model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    head: str,
    head_stages: tuple[int, ...],
) -> None:
    """The scores of the fit's own arithmetic on kept features, and those of `classify`."""
    dims = open_model(str(tiny_model)).model.config.stage_dims
    width = dims[-1] + sum(dims[stage - 1] for stage in head_stages)

    def choose(examples: Examples, options: HeadOptions) -> Choice:
        is_wanted = examples.features.shape[1] == width
        return replace(choose_setting(examples, options), loss=0.0 if is_wanted else 1.0)

    monkeypatch.setattr("hiera_cli.heads.choose.choose_setting", choose)
    chosen = FitOptions(out=tmp_path / "mine", head=head, val=str(colours / "val"))  # type: ignore[arg-type]
    result = last(list(fit(str(colours / "train"), chosen, options(tiny_model))))

    table = tmp_path / "mine.features.parquet"
    paths = sorted({p for rows in read_rows(table, columns=["path"]) for p in rows["path"]})
    videos = {p: LabelledVideo(p, p, (Path(p).parent.name,)) for p in paths}
    kept = read_examples(table, videos, result.classes)
    assert kept.features.shape[1] == sum(dims[1:])
    examples = replace(kept, features=kept.features[:, -width:])
    assert result.head_stages == open_model(str(tmp_path / "mine")).model.config.head_stages
    assert result.head_stages == head_stages
    choice = result.choice
    head_again = fit_head(examples, choice.setting, balanced=choice.balanced, multi_label=False)
    expected = score_videos(head_again, examples, multi_label=False).numpy()
    found = list(classify(examples.names, options=options(tmp_path / "mine"), top_k=3))
    for row, record in zip(expected, found, strict=True):
        assert isinstance(record, Classification)
        scores = {p.index: p.score for p in record.predictions}
        np.testing.assert_allclose([scores[k] for k in range(3)], row, atol=1e-4)


@pytest.mark.parametrize("telling", ["last", "stages"])
def test_a_head_sees_earlier_stages_where_they_tell_more(
    colours: Path, tiny_model: Path, tmp_path: Path, fitted: Fitted, telling: str
) -> None:
    """Of a table in which only the last columns, or only the others, know the classes."""
    made = fitted.folder.with_name("mine.features.parquet")
    table, rows = tmp_path / "features.parquet", pq.read_table(made)
    width = open_model(str(tiny_model)).model.config.stage_dims[-1]
    values = np.stack(rows["feature"].to_numpy())
    rng = np.random.default_rng(0)
    classes = [Path(path).parent.name for path in rows["path"].to_pylist()]
    told = np.array([["blue", "green", "red"].index(name) for name in classes])[:, None]
    noise = rng.standard_normal(values.shape).astype(np.float32)
    columns = slice(-width, None) if telling == "last" else slice(None, -width)
    noise[:, columns] += 3 * (told == np.arange(values.shape[1]) % 3)[:, columns]
    feature = pa.array(list(noise), rows["feature"].type)
    index = rows.schema.get_field_index("feature")
    pq.write_table(rows.set_column(index, rows.schema.field("feature"), feature), table)
    chosen = FitOptions(out=tmp_path / "mine", features=table, strength=0.1)
    result = last(list(fit(str(colours / "train"), chosen, options(tiny_model))))
    assert result.head_stages == (() if telling == "last" else (2, 3))


def test_several_labels_are_scored_each_by_itself(
    colours: Path, tiny_model: Path, tmp_path: Path
) -> None:
    lines = ["path,label"]
    for file in sorted((colours / "train").rglob("*.mp4")):
        name = file.parent.name
        lines.append(
            f"{file.relative_to(colours / 'train')},{name}{';warm' if name != 'blue' else ''}"
        )
    labels = tmp_path / "labels.csv"
    labels.write_text("\n".join(lines) + "\n")
    table = tmp_path / "features.parquet"

    engine = options(tiny_model)
    files = expand_inputs([str(colours / "train")])
    list(write_features(files, table, options=replace(engine, protocol="balanced")))
    chosen = FitOptions(out=tmp_path / "mine", multi_label=True, features=table)
    result = last(list(fit(None, chosen, replace(EngineOptions(), labels=str(labels)))))
    assert result.classes == ("blue", "green", "red", "warm")
    assert open_model(str(tmp_path / "mine")).multi_label
    (record,) = classify(colours / "val" / "red" / "0.mp4", options=options(tmp_path / "mine"))
    assert isinstance(record, Classification)
    scores = {p.label: p.score for p in record.predictions}
    assert {label for label, score in scores.items() if score > 0.5} == {"red", "warm"}


def test_features_of_other_weights_are_refused(
    colours: Path, tiny_model: Path, tiny_image_model: Path, tmp_path: Path, fitted: Fitted
) -> None:
    table = fitted.folder.with_name("mine.features.parquet")
    chosen = FitOptions(out=tmp_path / "mine", features=table)
    with pytest.raises(UsageError, match="made with other weights than those of tiny-image"):
        list(fit(str(colours / "train"), chosen, options(tiny_image_model)))


def test_kept_features_are_not_computed_again(
    colours: Path, tiny_model: Path, fitted: Fitted, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("decoded again")

    monkeypatch.setattr("hiera_cli.video.clips.ClipReader.read", refuse)
    chosen = FitOptions(out=fitted.folder, head="knn")
    again = last(list(fit(str(colours / "train"), chosen, options(tiny_model))))
    assert (again.num_videos, again.num_failed) == (16, 0)
    assert again.findings.top1 > 0.9


@pytest.fixture
def doomed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Paths whose decoder aborts."""
    paths: list[str] = []
    decode, start_child, dying = DecodeProcess.decode, worker._start, []

    def start(shared: int | None) -> object:
        child = start_child(shared)
        if dying:
            os.kill(child.pid, signal.SIGABRT)
        return child

    def fragile(self: DecodeProcess, path: str, *rest: object, **more: object) -> object:
        if path in paths:
            self.close()
            dying.append(path)
        try:
            return (yield from decode(self, path, *rest, **more))  # type: ignore[arg-type]
        finally:
            dying.clear()

    monkeypatch.setattr(worker, "_start", start)
    monkeypatch.setattr(DecodeProcess, "decode", fragile)
    return paths


def test_a_file_that_aborts_the_decoder_is_left_out(
    tiny_model: Path, tmp_path: Path, doomed: list[str]
) -> None:
    """One among 300: as many names for few clips would be the same file to the tool."""
    for tint, name in enumerate(("red", "green")):
        write_tinted(tmp_path / "one.mp4", tint, 0)
        content = (tmp_path / "one.mp4").read_bytes()
        (tmp_path / "data" / name).mkdir(parents=True)
        for index in range(150):
            (tmp_path / "data" / name / f"{index:03}.mp4").write_bytes(content)
    doomed.append(str(tmp_path / "data" / "green" / "077.mp4"))
    records = list(fit(str(tmp_path / "data"), FitOptions(out=tmp_path / "m"), options(tiny_model)))
    (failure,) = (record for record in records if isinstance(record, Failure))
    assert (failure.path, failure.kind) == (doomed[0], "corrupt")
    assert "SIGABRT" in failure.message
    result = last(records)
    assert (result.num_videos, result.num_failed) == (299, 1)
    assert result.counts == (149, 150)


def test_what_was_understood_comes_before_anything_is_computed(
    colours: Path, tmp_path: Path
) -> None:
    records = fit(
        str(colours), FitOptions(out=tmp_path / "m"), EngineOptions(model="no such model")
    )
    understood = next(records)
    assert isinstance(understood, Understood)
    assert understood.counts == (3, 5, 8)


@pytest.mark.parametrize(
    ("dataset", "changes", "message"),
    [
        (None, {}, "fit needs a DATASET"),
        ("colours", {"out": None}, "fit needs --out"),
    ],
)
def test_what_is_missing_is_said(
    dataset: str | None, changes: dict, message: str, colours: Path, tmp_path: Path
) -> None:
    chosen = FitOptions(**{"out": tmp_path / "m", **changes})
    with pytest.raises(UsageError, match=message):
        list(fit(dataset and str(colours), chosen, EngineOptions()))


def test_labels_go_with_features(colours: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--labels goes with --features"):
        list(fit(str(colours), FitOptions(out=tmp_path / "m"), EngineOptions(labels="x.csv")))


def test_nothing_that_can_be_read_is_an_error(tiny_model: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / "data" / name).mkdir(parents=True)
        for index in range(2):
            (tmp_path / "data" / name / f"{index}.mp4").write_bytes(b"no video")
    with pytest.raises(NoInputError, match="none of the videos could be read"):
        list(fit(str(tmp_path / "data"), FitOptions(out=tmp_path / "m"), options(tiny_model)))


def test_the_json_has_the_keys_of_the_contract(fitted: Fitted) -> None:
    values = json.loads(json.dumps(as_json(fitted)))
    assert values["model"] == str(fitted.folder)
    assert values["classes"] == ["blue", "green", "red"]
    assert (values["num_videos"], values["num_failed"], values["majority"]) == (16, 0, 0.5)
    for key in ("cv_top1", "cv_balanced_accuracy", "cv_macro_f1"):
        assert 0.9 < values[key] <= 1.0
    low, high = values["cv_interval_95"]
    assert low < values["cv_top1"] <= high
    metrics = json.loads((fitted.folder / "val" / "metrics.json").read_text())
    assert values["val"] == metrics


def test_what_cannot_go_together_is_refused() -> None:
    with pytest.raises(UsageError, match="--multi-label is for the linear head"):
        FitOptions(head="knn", multi_label=True)
    with pytest.raises(UsageError, match="--strength is for the linear head"):
        FitOptions(head="knn", strength=1.0)
