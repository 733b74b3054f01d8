"""All files of an evaluation's report, in one folder."""

from datetime import UTC, datetime
from pathlib import Path

from hiera_cli.report.files import confusion_csv, metrics_json, per_class_csv, write_text
from hiera_cli.report.page import confused_pairs, render_page
from hiera_cli.report.thumbnails import film_strips
from hiera_cli.tables.place import output_errors
from hiera_cli.tasks.evaluation.summary import Account, Summary
from hiera_cli.video.decode import Limits
from hiera_cli.video.sampling import Protocol


def write_report(
    account: Account, summary: Summary, folder: Path, *, command: str, limits: Limits
) -> None:
    """Write metrics.json, per_class.csv, confusion.csv and report.html.

    Args:
        account: what became of every video.
        summary: what was measured.
        folder: made if need be.
        command: what was typed.
        limits: what decoding a video for its pictures may cost.

    Raises:
        OutputError: something cannot be written.
    """
    with output_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / "metrics.json", metrics_json(summary))
    write_text(folder / "per_class.csv", per_class_csv(account))
    write_text(folder / "confusion.csv", confusion_csv(account))
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
