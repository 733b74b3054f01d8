import json
from dataclasses import replace

import pytest
import torch

from hiera_cli.errors import UsageError
from hiera_cli.tasks.benchmark.suite.document import (
    Conditions,
    Document,
    as_markdown,
    read_document,
    write_document,
)
from hiera_cli.tasks.benchmark.suite.rows import Row

HERE = Conditions("gpu", "a machine, 2 cores", "a GPU", tiny=False, versions=("torch 2.6.0",))
ROWS = (
    Row("Inference", "B", "done", {"batch": 32, "clips_per_second": 1234.5, "times": 1.567}),
    Row("Inference", "H", "failed", reason="a | b"),
    Row("Training", "T", "done", {"seconds": None}),
)


def test_a_document_comes_back_as_it_was_written(tmp_path) -> None:
    path = tmp_path / "table.json"
    assert read_document(path) is None
    write_document(path, Document(HERE, ROWS))
    assert read_document(path) == Document(HERE, ROWS)
    assert [entry.name for entry in tmp_path.iterdir()] == ["table.json"]


@pytest.mark.parametrize("text", ["", "[]", '{"format": 1}', '{"format": 99, "conditions": {}}'])
def test_another_file_is_refused(tmp_path, text) -> None:
    path = tmp_path / "table.json"
    path.write_text(text)
    with pytest.raises(UsageError, match="is no table of hiera benchmark"):
        read_document(path)


def test_the_markdown_has_a_table_for_each_section() -> None:
    text = as_markdown(Document(HERE, ROWS))
    assert text.startswith("a GPU · a machine, 2 cores · torch 2.6.0\n")
    assert (
        "### Inference\n\n|  | batch | clips per second | times |\n|---|---:|---:|---:|\n" in text
    )
    assert "| B | 32 | 1234 | 1.57 |\n| H | failed: a \\| b |  |  |\n" in text
    assert "| T | – |\n" in text
    assert "say nothing about speed" not in text
    about = replace(HERE, subject="a model, 2 videos")
    assert as_markdown(Document(about, ())).startswith(
        "a GPU · a machine, 2 cores · torch 2.6.0 · a model, 2 videos\n"
    )


def test_stand_ins_are_called_so() -> None:
    here = Conditions.here("gpu", torch.device("cpu"), tiny=True)
    assert f"torch {torch.__version__}" in here.versions
    assert here.device == "cpu"
    assert "say nothing about speed" in as_markdown(Document(here, ()))
    json.dumps(here.versions)
