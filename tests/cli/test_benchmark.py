import io
import json

import pytest
from typer.testing import CliRunner

from hiera_cli.cli.app import make_app
from hiera_cli.cli.benchmark import _rows, _show, _sizes
from hiera_cli.cli.records import as_json
from hiera_cli.errors import UsageError
from tests.report.benchmarks import comparison, report

MEASURED = report(comparison("mvit_v2_s", top1=80.8))


def test_the_tables_name_the_bottleneck_and_suggest_what_to_type() -> None:
    stream = io.StringIO()
    _show(MEASURED, stream)
    text = stream.getvalue()
    assert "end to end: 80 % of the model alone · bottleneck: model" in text
    assert "--workers 1 --batch-size 2" in text
    assert "matrix peak 1000 GFLOP/s" in text
    row = next(line for line in text.splitlines() if "mvit_v2_s" in line)
    assert "1.25" in row
    assert "80.8" in row
    assert next(line for line in text.splitlines() if "dense" in line and "6.000" in line)


def test_json_is_valid_and_csv_rows_name_every_measurement() -> None:
    values = json.loads(json.dumps(as_json(MEASURED), allow_nan=False))
    assert values["stages"][2] == {
        "name": "copy",
        "seconds_per_view": 0.0,
        "views_per_second": None,
    }
    assert values["comparison"][0]["times_ours"] == 1.25
    names = [(row["section"], row["name"]) for row in _rows(MEASURED)]
    assert names[0] == ("stage", "decode")
    assert ("sweep", 2) in names
    assert ("comparison", "mvit_v2_s") in names
    assert ("training", "dense") in names


def test_batch_sizes_are_numbers() -> None:
    assert _sizes("4,1,4") == (1, 4)
    assert _sizes(None) is None
    for bad in ("", "two", "0,1"):
        with pytest.raises(UsageError):
            _sizes(bad)


def hiera(*arguments: object) -> tuple[int, str, str]:
    ran = CliRunner().invoke(make_app("benchmark"), ["benchmark", *map(str, arguments)])
    return ran.exit_code, ran.stdout, ran.stderr


def test_a_suite_is_a_markdown_table_on_stdout_and_a_document_in_out(tmp_path) -> None:
    out = tmp_path / "table.json"
    arguments = ("--suite", "decode", "--tiny", "--device", "cpu", "--out", out)
    code, text, said = hiera(*arguments)
    assert code == 0, said
    assert "### Reading" in text
    assert "| one worker |" in text
    assert "one worker: open ms" in said
    kept = json.loads(out.read_text())
    assert kept["conditions"]["suite"] == "decode"
    rows = {row["name"]: row for row in kept["rows"] if row["state"] == "done"}
    assert rows["hiera extract-features"]["figures"]["times_ours"] == 1
    for name in ("PyAV, a plain loop", "PyAV, a loop that converts sampled frames"):
        assert rows[name]["figures"]["cosine"] > 0.9999
    code, text, said = hiera(*arguments, "-q", "-f", "jsonl")
    assert (code, said) == (0, "")
    assert [json.loads(line) for line in text.splitlines()] == kept["rows"]  # not measured again


def test_an_unknown_suite_is_refused() -> None:
    code, _, said = hiera("--suite", "tpu")
    assert code == 2
    assert "use one of gpu, decode" in said


def test_a_plan_in_words_and_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    words = "benchmark -m camera-motion --plan --videos 650000 --seconds 10 --gpus 8 --cores 128"
    rates = ["--read-rate", "20", "--model-rate", "200"]
    with pytest.raises(SystemExit):
        make_app("benchmark")([*words.split(), *rates])
    text = capsys.readouterr().out
    assert "650,000 videos of 10 s, 3,250,000 views" in text
    asked = next(line for line in text.splitlines() if line.startswith("asked"))
    assert asked.split()[1:] == ["128", "8", "0:33:51", "49.65", "4.514", "320", "-", "model"]
    assert "11.0 cores a GPU keep both busy" in text
    with pytest.raises(SystemExit):
        make_app("benchmark")([*words.split(), *rates, "-f", "json"])
    (found,) = json.loads(capsys.readouterr().out)
    assert found["asked"]["gpu_hours"] == pytest.approx(3_250_000 / 200 / 3600)
