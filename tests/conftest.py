"""What every test finds as it was: the package's logger and the signal handlers."""

import logging
import signal
import sys
from collections.abc import Callable, Iterator

import pytest


@pytest.fixture(autouse=True)
def _leave_no_trace() -> Iterator[None]:
    logger = logging.getLogger("hiera_cli")
    handlers, propagate, level = list(logger.handlers), logger.propagate, logger.level
    on_interrupt, on_term = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    yield
    logger.handlers[:], logger.propagate = handlers, propagate
    logger.setLevel(level)
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
