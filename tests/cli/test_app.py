import subprocess
import sys
from pathlib import Path

import pytest

from hiera_cli.cli import app as application
from hiera_cli.errors import NoInputError, OutputError, UsageError, WeightsError


def hiera(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "hiera_cli", *arguments],
        capture_output=True,
        text=True,
        **options,  # type: ignore[call-overload]
    )


def test_help_names_every_command() -> None:
    result = hiera("--help")
    assert result.returncode == 0
    for command in ("classify", "probe", "models", "extract-features", "eval"):
        assert command in result.stdout


def test_version() -> None:
    result = hiera("--version")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith("hiera 0.")


def test_a_wrong_flag_is_a_usage_error() -> None:
    assert hiera("classify", "--nonsense", "x.mp4").returncode == 2


def test_nothing_found_is_exit_code_4(tmp_path: Path) -> None:
    result = hiera("classify", str(tmp_path))
    assert result.returncode == 4
    assert result.stdout == ""
    assert "no video found" in result.stderr


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError("a"), 2),
        (NoInputError("b"), 4),
        (WeightsError("c"), 5),
        (OutputError("d"), 1),
        (KeyboardInterrupt(), 130),
        (RuntimeError("bug"), 1),
    ],
)
def test_every_error_has_its_exit_code_and_no_traceback(
    error: BaseException, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> int:
        raise error

    assert application._exit_code(fail, {}, verbose=False) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err
    assert "Traceback" not in captured.err


def test_messages_never_carry_terminal_codes(capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> int:
        raise UsageError("cannot read '\x1b[31mred.mp4'")

    application._exit_code(fail, {}, verbose=False)
    assert "\x1b" not in capsys.readouterr().err


def test_a_closed_pipe_ends_quietly(tmp_path: Path) -> None:
    names = " ".join(f"{tmp_path}/{i}.mp4" for i in range(300))
    command = f"{sys.executable} -m hiera_cli probe -q -f jsonl {names} | head -n 1"
    result = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=60)
    assert len(result.stdout.splitlines()) == 1
    assert "Traceback" not in result.stderr
    assert "Exception ignored" not in result.stderr
