"""What the README shows works: the first command runs, and every flag and name in it exists."""

import ast
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hiera_cli.cli.app import make_app

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def hiera_commands() -> list[str]:
    """Every `hiera ...` in a shell block, one line each, without comments and continuations."""
    lines = "\n".join(blocks("sh")).replace("\\\n", " ").splitlines()
    found = [part.strip() for line in lines for part in re.split(r"&&|#.*", line) if part]
    return sorted({part for part in found if part.startswith("hiera ")})


def test_the_readme_opens_with_two_commands() -> None:
    first, second = blocks("sh")[:2]
    assert first.strip().endswith("hiera classify sample_videos -m camera-motion")
    assert second.strip().endswith("python -m pytest")
    assert all(len(block.strip().splitlines()) == 1 for block in (first, second))


@pytest.mark.parametrize("command", hiera_commands())
def test_commands_and_their_flags_exist(command: str) -> None:
    words = shlex.split(command)[1:]
    names = words[:2] if words[0] in ("models", "synth") else words[:1]
    result = CliRunner().invoke(make_app(), [*names, "--help"], env={"COLUMNS": "300"})
    assert result.exit_code == 0, result.output
    for word in words:
        if re.fullmatch(r"--[a-z-]+|-[a-z]", word):
            assert word in result.output, f"{command}: no {word}"


@pytest.mark.parametrize("source", blocks("python"))
def test_python_examples_use_what_there_is(source: str) -> None:
    tree = ast.parse(source)
    import hiera_cli

    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "hiera_cli":
            assert {alias.name for alias in node.names} <= set(hiera_cli.__all__)


def test_the_first_command_names_every_sample_rightly_without_network() -> None:
    command = [sys.executable, "-m", "hiera_cli", "classify", "sample_videos"]
    result = subprocess.run(
        [*command, "-m", "camera-motion", "--offline", "-f", "csv", "-k", "1"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
    )
    assert result.returncode == 0, result.stderr
    rows = [line.split(",") for line in result.stdout.splitlines()[1:]]
    assert len(rows) >= 10
    wrong = [row for row in rows if Path(row[0]).parent.name.replace("_", " ") != row[3]]
    assert not wrong
