"""An interrupt that strikes where Python drops exceptions."""

import subprocess
import sys
import time

import pytest

STRIKE = """
import signal, time, weakref
from hiera_cli.cli import app, interrupts

class Thing:
    pass

def struck(**_):
    thing = Thing()
    reference = weakref.ref(thing, lambda _: signal.raise_signal(signal.SIGINT))
    del thing  # the handler raises in the callback above, whose exceptions go nowhere
    time.sleep(60)

def translated(**_):
    try:
        signal.raise_signal(signal.SIGINT)
    except KeyboardInterrupt:  # as native code may that calls Python
        raise ValueError("no such shape") from None

interrupts.begin()
"""


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("struck()", ""),
        ("app._guard(struck)()", "interrupted"),
        ("app._guard(translated)()", "interrupted"),
    ],
    ids=["before a command", "in a command", "as another error"],
)
def test_is_not_lost(where: str, said: str) -> None:
    began = time.monotonic()
    code = f"{STRIKE}try:\n    {where}\nexcept app.typer.Exit as ended:\n    exit(ended.exit_code)"
    words = [sys.executable, "-c", code]
    ended = subprocess.run(words, capture_output=True, text=True, timeout=50, check=False)
    assert ended.returncode == 130
    assert "Exception ignored" not in ended.stderr
    assert said in ended.stderr
    assert time.monotonic() - began < 30
