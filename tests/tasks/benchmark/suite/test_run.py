from dataclasses import dataclass

import pytest
import torch

from hiera_cli.errors import NoInputError, UsageError
from hiera_cli.tasks.benchmark.suite.document import Conditions, read_document
from hiera_cli.tasks.benchmark.suite.options import SuiteOptions
from hiera_cli.tasks.benchmark.suite.rows import Row, RowPlan
from hiera_cli.tasks.benchmark.suite.run import Suite, plan_suite, run_suite

HERE = Conditions.here("gpu", torch.device("cpu"), tiny=True)


@dataclass(frozen=True)
class Figures:
    calls: int


class Counter:
    """Counts how often a row was measured; refuses while it is told to."""

    def __init__(self) -> None:
        self.calls = 0
        self.error: BaseException | None = None

    def __call__(self) -> Figures:
        if self.error:
            raise self.error
        self.calls += 1
        return Figures(self.calls)


def suite(*counters: Counter) -> Suite:
    return Suite(HERE, [RowPlan("S", f"row {i}", counter) for i, counter in enumerate(counters)])


def test_an_interrupted_table_is_kept_and_gone_on_with(tmp_path) -> None:
    first, second, third = Counter(), Counter(), Counter()
    options = SuiteOptions(out=tmp_path / "table.json", tiny=True)
    second.error, third.error = RuntimeError("broken"), KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        list(run_suite(suite(first, second, third), options))
    kept = read_document(options.out)
    assert [(row.state, row.reason) for row in kept.rows] == [
        ("done", ""),
        ("failed", "RuntimeError: broken"),
    ]
    second.error = third.error = None
    rows = list(run_suite(suite(first, second, third), options))
    assert [row.figures for row in rows] == [{"calls": 1}] * 3
    assert read_document(options.out).rows == tuple(rows)
    list(run_suite(suite(first, second, third), options))
    assert (first.calls, second.calls, third.calls) == (1, 1, 1)


def test_rows_that_come_later_stay_in_the_file_while_earlier_ones_are_tried_again(tmp_path) -> None:
    first, second = Counter(), Counter()
    options = SuiteOptions(out=tmp_path / "table.json", tiny=True)
    first.error = RuntimeError("broken")
    list(run_suite(suite(first, second), options))
    rows = run_suite(suite(first, second), options)
    next(rows)
    assert [row.state for row in read_document(options.out).rows] == ["failed", "done"]


def test_another_machines_table_is_not_mixed_with_this_ones(tmp_path) -> None:
    options = SuiteOptions(out=tmp_path / "table.json")
    list(run_suite(suite(Counter()), options))
    other = Suite(Conditions.here("gpu", torch.device("cpu"), tiny=False), [])
    with pytest.raises(UsageError, match="was measured elsewhere or otherwise"):
        list(run_suite(other, options))


def test_a_table_about_other_videos_or_another_model_is_refused(tmp_path) -> None:
    clip, model, counter = tmp_path / "a.mp4", tmp_path / "model", Counter()
    clip.write_bytes(b"1")
    model.mkdir()
    weights = model / "model.safetensors"
    weights.write_bytes(b"2")

    def measured(*inputs, **changes) -> list[Row]:
        names = tuple(str(tmp_path / name) for name in inputs)
        options = SuiteOptions(
            suite="decode", device="cpu", inputs=names, out=tmp_path / "t.json", **changes
        )
        conditions = plan_suite(options).conditions
        return list(run_suite(Suite(conditions, suite(counter).plans), options))

    before = measured("a.mp4", model=str(model))
    assert measured("a.mp4", model=str(model)) == before
    (tmp_path / "b.mp4").write_bytes(b"1")
    refused = [(("b.mp4",), str(model)), (("a.mp4", "b.mp4"), str(model)), ((), str(model))]
    for inputs, name in [*refused, (("a.mp4",), "camera-motion")]:
        with pytest.raises(UsageError, match="is about another model, or about videos") as error:
            measured(*inputs, model=name)
        assert error.value.hint == "name another --out, or delete it"
    for changed in (weights, clip):
        changed.write_bytes(b"longer")
        with pytest.raises(UsageError, match="is about another model, or about videos"):
            measured("a.mp4", model=str(model))
        (tmp_path / "t.json").unlink()
        measured("a.mp4", model=str(model))
    assert counter.calls == 3


def test_inputs_without_a_video_are_no_reason_to_make_some_up(tmp_path) -> None:
    with pytest.raises(NoInputError, match="none of the inputs is a video"):
        plan_suite(SuiteOptions(suite="decode", device="cpu", inputs=(str(tmp_path),)))


def test_there_is_a_suite_for_each_name(tmp_path) -> None:
    for name in ("gpu", "decode"):
        planned = plan_suite(SuiteOptions(suite=name, device="cpu", tiny=True))
        keys = [(plan.section, plan.name) for plan in planned.plans]
        assert keys
        assert len(set(keys)) == len(keys)
    with pytest.raises(UsageError, match="--suite is 'tpu'"):
        SuiteOptions(suite="tpu")
