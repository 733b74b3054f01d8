"""What every test finds as it was: the package's logger and the signal handlers."""

import logging
import signal
import sys
from collections.abc import Callable, Iterator

import pytest


def _forget_logging() -> None:
    logger = logging.getLogger("hiera_cli")
    logger.handlers[:], logger.propagate = [], True
    logger.setLevel(logging.NOTSET)


@pytest.fixture(autouse=True)
def _leave_no_trace() -> Iterator[None]:
    _forget_logging()  # fixtures of a module may have run a command
    on_interrupt, on_term = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    yield
    _forget_logging()
    signal.signal(signal.SIGINT, on_interrupt)
    signal.signal(signal.SIGTERM, on_term)


@pytest.fixture(scope="session")
def tell(pytestconfig: pytest.Config) -> Callable[[str], None]:
    """Writes a line on the terminal, past pytest's capture: the figures of a long run."""
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")

    def tell(line: str) -> None:
        with capture.global_and_fixture_disabled():
            sys.stdout.write(f"\n{line}\n")

    return tell
