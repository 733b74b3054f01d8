import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from hiera_cli.errors import Failure
from hiera_cli.report.page import MAX_BYTES, class_rows, confused_pairs, render_page
from hiera_cli.report.thumbnails import as_data_uri
from hiera_cli.tasks.evaluation.summary import summarise
from tests.report.accounts import Made, make_account

LABELS = ["pan left", "pan right", "static", "<script>alert(1)</script>", "{{ 7*7 }}"]
FAILURES = (Failure("<b>.mp4", "corrupt", "<script>alert(2)</script>"),)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("account")
    return make_account(
        folder, LABELS, num_videos=60, num_missing=7, failures=FAILURES, num_unknown=2
    )


def page_of(made: Made, strips: dict[str, tuple[str, ...]] | None = None) -> str:
    return render_page(
        made.account,
        summarise(made.account, dataset="/data"),
        strips=strips or {},
        command="hiera eval '<script>alert(3)</script>'",
        written_at="2026-01-02 03:04 UTC",
    )


class Outline(HTMLParser):
    """What a browser would make of the page: elements, attributes, text outside of scripts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attributes)))

    def handle_data(self, data: str) -> None:
        if self.elements and self.elements[-1][0] not in ("script", "style"):
            self.text += data

    def tags(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.elements if tag == name]


def test_the_numbers_are_on_the_page(made: Made) -> None:
    metrics = made.account.metrics
    text = " ".join(Outline(page_of(made)).text.split())
    assert f"{metrics.top1:.1%}" in text
    assert f"{metrics.top5:.1%}" in text
    low, high = metrics.top1_interval
    assert f"95% interval {low:.1%} to {high:.1%}, over 60 evaluated videos" in text
    assert "What became of 70 videos" in text
    wrong = 60 - metrics.num_top1
    expected = f"right {metrics.num_top1} wrong {wrong} failed 1 missing 7 unknown label 2"
    assert expected in text
    assert "1 damaged but used" in text
    assert "zorbing" in text
    assert "5d" * 32 in text


def test_names_labels_and_messages_stay_text(made: Made) -> None:
    page = page_of(made)
    outline = Outline(page)
    assert len(outline.tags("script")) == 1
    assert "<b>.mp4" in outline.text
    assert not [
        name for _, attributes in outline.elements for name in attributes if name[:2] == "on"
    ]
    for number in (1, 2, 3):
        assert f"<script>alert({number})</script>" in outline.text
        assert f"<script>alert({number})" not in page
    assert "{{ 7*7 }}" in outline.text


def test_nothing_is_fetched(made: Made) -> None:
    outline = Outline(
        page_of(made, {made.account.outcomes[0].path: ("data:image/jpeg;base64,AA",)})
    )
    for _, attributes in outline.elements:
        for name in ("src", "href"):
            assert (attributes.get(name) or "data:").startswith("data:")
    (policy,) = [m["content"] for m in outline.tags("meta") if "http-equiv" in m]
    assert (policy or "").startswith("default-src 'none'; img-src data:;")


def test_classes_come_worst_first_and_pairs_most_frequent_first(made: Made) -> None:
    rows = class_rows(made.account)
    assert [row.top1 for row in rows] == sorted(row.top1 for row in rows)
    pairs = confused_pairs(made.account)
    assert [pair.count for pair in pairs] == sorted((p.count for p in pairs), reverse=True)
    for pair in pairs:
        alike = [
            o for o in made.account.outcomes
            if (o.target, o.predicted) == (pair.example.target, pair.example.predicted)
        ]  # fmt: skip
        assert len(alike) == pair.count
        assert pair.example.confidence == max(o.confidence for o in alike)
        assert (pair.label, pair.predicted) == (
            LABELS[pair.example.target],
            LABELS[pair.example.predicted],
        )


def test_essentials_do_not_need_javascript(made: Made) -> None:
    page = re.sub(r"<script>.*?</script>", "", page_of(made), flags=re.DOTALL)
    outline = Outline(page)
    assert sum(1 for _ in outline.tags("tr")) >= len(LABELS)
    assert len(outline.tags("svg")) == 3  # interval, calibration, confusion matrix
    widths = [a["style"] for a in outline.tags("span") if a.get("class") == "one"]
    shown = [f"width:{100 * row.top1:.2f}%" for row in class_rows(made.account)]
    assert widths == shown


def test_pictures_are_left_out_before_the_page_grows_too_large(made: Made) -> None:
    pair = confused_pairs(made.account)[0]
    small = {pair.example.path: ("data:image/jpeg;base64,SMALL",)}
    assert "SMALL" in page_of(made, small)
    large = {pair.example.path: ("data:image/jpeg;base64," + "A" * MAX_BYTES,)}
    assert "AAAA" not in page_of(made, large)


def test_a_thousand_classes_and_pictures_stay_under_two_megabytes(tmp_path: Path) -> None:
    labels = [f"a class with a rather long name, number {i}" for i in range(1000)]
    failures = tuple(Failure(f"f{i}" * 40, "corrupt", "m" * 400) for i in range(300))
    made = make_account(tmp_path, labels, num_videos=1000, num_missing=3000, failures=failures)
    random = np.random.default_rng(0)
    noise = as_data_uri(random.integers(0, 255, (720, 1280, 3), dtype=np.uint8))
    strips = {pair.example.path: (noise,) * 5 for pair in confused_pairs(made.account)}
    page = page_of(made, strips)
    assert len(page.encode()) < MAX_BYTES
    assert noise in page
    assert "2,800 more" in page


def test_perfect_and_empty_results_have_a_page(tmp_path: Path) -> None:
    labels = ["a", "b"]
    perfect = make_account(tmp_path, labels, num_videos=4, accuracy=1.0, seed=3)
    assert perfect.account.metrics.top1 == 1.0
    assert "every evaluated video was recognised" in page_of(perfect)
    (tmp_path / "empty").mkdir()
    empty = make_account(tmp_path / "empty", labels, num_videos=0, failures=FAILURES)
    assert "No video was evaluated." in page_of(empty)


def test_a_quick_look_is_labelled(tmp_path: Path) -> None:
    made = make_account(tmp_path, ["a", "b"], num_videos=4, limit=4)
    assert "A quick look, not a result." in page_of(made)
