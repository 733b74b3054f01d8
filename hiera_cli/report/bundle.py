"""The report of an evaluation as a file, its pictures taken from the videos."""

from datetime import UTC, datetime
from pathlib import Path

from hiera_cli.files import write_text
from hiera_cli.report.page import confused_pairs, render_page
from hiera_cli.report.thumbnails import film_strips
from hiera_cli.tasks.evaluation.summary import Account, Summary
from hiera_cli.video.decode import Limits
from hiera_cli.video.protocols import Protocol


def write_report(
    account: Account, summary: Summary, folder: Path, *, command: str, limits: Limits
) -> None:
    """Write report.html.

    Args:
        account: what became of every video.
        summary: what was measured.
        folder: of the evaluation.
        command: what was typed.
        limits: what decoding a video for its pictures may cost.

    Raises:
        OutputError: something cannot be written.
    """
    paths = {source.name: source.path for source in account.plan.files}
    shown = [pair.example.path for pair in confused_pairs(account)]
    strips = film_strips(
        {name: paths[name] for name in shown if name in paths},
        Protocol(**account.settings["protocol"]),
        limits=limits,
    )
    page = render_page(
        account,
        summary,
        strips=strips,
        command=command,
        written_at=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
    )
    write_text(folder / "report.html", page)
