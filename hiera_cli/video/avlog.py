"""FFmpeg's own messages: caught while it works, never printed.

Some damage shows nowhere else: a decoder that conceals a broken slice raises nothing and marks
nothing, it only writes an error line.
"""

import functools
import logging

import av.logging

Message = tuple[int, str, str]


def caught_messages() -> av.logging.Capture:
    """Collect the error lines that FFmpeg writes from this thread.

    It is entered twice for every packet, so that nothing is wrapped around PyAV's own.

    Returns:
        What gives a list of (level, context, text) that fills up inside the block; the context is
        the name of the demuxer or decoder, or empty.
    """
    _stray_messages()
    return av.logging.Capture(local=True)


def num_stray_messages() -> int:
    """Error lines so far from FFmpeg's own worker threads; whose file they mean is unknown."""
    return _stray_messages().num_messages


class _Counter(logging.Handler):
    """Counts records and drops them."""

    def __init__(self) -> None:
        super().__init__()
        self.num_messages = 0

    def emit(self, record: logging.LogRecord) -> None:  # noqa: ARG002
        self.num_messages += 1


@functools.cache
def _stray_messages() -> _Counter:
    """Make FFmpeg's error lines go through PyAV; once per process.

    PyAV drops every line until a level is set. Lines from FFmpeg's worker threads belong to no
    capture; PyAV gives them to the logger `libav`, from where they must not reach the terminal.
    """
    counter = _Counter()
    logging.getLogger("libav").addHandler(counter)
    logging.getLogger("libav").propagate = False
    av.logging.set_skip_repeated(False)
    if av.logging.get_level() is None:
        av.logging.set_level(av.logging.ERROR)
    return counter
