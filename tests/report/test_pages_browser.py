"""Every page in a browser: on a phone and on a desk, light and dark, by keyboard.

Run with `python -m pytest -m slow -n 0 tests/report/test_pages_browser.py`; with a folder in the
environment variable `HIERA_PICTURES`, what the pages look like is written there as PNG.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hiera_cli.cli.app import make_app
from tests.report.browser import BROWSER, SPILLS, TOO_WIDE, Page, open_browser

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="needs Chromium"),
]
SAMPLES = Path(__file__).parents[2] / "sample_videos"
PAGES = ("timeline", "search", "explore", "eval", "dataset")
CONTROLS = {  # what Tab must reach at the least
    "timeline": {"1 segment"},
    "search": {"A"},
    "explore": {"colour", "find", "map"},
    "eval": {"class-filter", "Class", "Top-1"},
    "dataset": set(),
}


def hiera(*arguments: object) -> None:
    result = CliRunner().invoke(make_app(), [*map(str, arguments)])
    assert result.exit_code == 0, result.stderr


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    model, table = ("-m", "camera-motion"), folder / "features.parquet"
    for name in ("pan_left/mountains.mp4", "zoom_in/lighthouse.mp4"):
        shutil.copy(SAMPLES / name, folder)
    hiera("extract-features", SAMPLES, *model, "--layer", "stage1", "--scores", "-o", table)
    found = {name: folder / f"{name}.html" for name in PAGES}
    films = sorted(folder.glob("*.mp4"))
    hiera("timeline", *films, *model, "--plot", found["timeline"])
    hiera("search", table, "--like", films[0], "-k", 8, "--html", found["search"])
    hiera("explore", table, "--out", folder / "explore")
    hiera("dataset", SAMPLES, "--html", found["dataset"])
    hiera("eval", SAMPLES, *model, "--protocol", "fast", "--out", folder / "eval")
    found["explore"] = folder / "explore" / "index.html"
    found["eval"] = folder / "eval" / "report.html"
    return found


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with open_browser(tmp_path_factory.mktemp("profile")) as page:
        yield page


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [390, 1300])
@pytest.mark.parametrize("name", PAGES)
def test_nothing_sticks_out(
    pages: dict[str, Path], browser: Page, name: str, width: int, dark: bool
) -> None:
    browser.show(pages[name], width=width, dark=dark)
    assert browser.complaints == []
    assert browser.run(TOO_WIDE) == ""
    assert browser.run(SPILLS) == []
    paper = browser.run(
        "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)"
    )
    assert (sum(paper[:3]) < 3 * 128) == dark
    if "HIERA_PICTURES" in os.environ:
        folder = Path(os.environ["HIERA_PICTURES"])
        browser.picture(folder / f"{name}-{width}-{'dark' if dark else 'light'}.png")


@pytest.mark.parametrize("width", [390, 1300])
@pytest.mark.parametrize("name", PAGES)
def test_tab_reaches_the_controls(
    pages: dict[str, Path], browser: Page, name: str, width: int
) -> None:
    browser.show(pages[name], width=width)
    reached = browser.tour()
    there = {one["name"] for one in reached} | {one["tag"] for one in reached}
    assert there >= CONTROLS[name]
    # what has the focus in the controls of a video, the browser draws itself
    assert [one for one in reached if not one["shows"] and one["tag"] != "VIDEO"] == []


@pytest.mark.parametrize("width", [390, 1300])
def test_explore_by_keyboard(pages: dict[str, Path], browser: Page, width: int) -> None:
    browser.show(pages["explore"], width=width)
    for _ in range(3):
        browser.press("Tab")
    assert browser.run("document.activeElement.id") == "map"
    browser.press("ArrowRight")
    assert browser.run("[hover, tip.hidden, shown]") == [1, False, -1]
    browser.press("ArrowLeft")
    browser.press("ArrowLeft")
    last = browser.run("N - 1")
    assert browser.run("hover") == last
    browser.press("Enter")
    assert browser.run("[shown, document.querySelectorAll('#near button').length > 0]") == [
        last,
        True,
    ]
    below = browser.run("[$('clip').getBoundingClientRect().top, innerHeight]")
    assert below[0] < below[1]  # in sight, on a phone too
    browser.press(" ")
    assert browser.run("$('count').textContent") == "1 clips of 1 files selected"
    assert browser.run("list()").strip().endswith(browser.run(f"A.files[A.file[{last}]]"))
    for _ in range(6):
        browser.press("+")
    browser.press("ArrowRight")
    assert browser.run("hover") == 0
    assert browser.run("px(0) >= 0 && px(0) <= W && py(0) >= 0 && py(0) <= H")  # it came into view
    browser.run("$('near').firstElementChild.focus()")
    nearest = browser.run("A.near[shown][0]")
    browser.press("Enter")
    assert browser.run("shown") == nearest
    assert browser.run("document.activeElement.parentElement.id") == "near"
    browser.run("$('clear').focus()")
    browser.press("Enter")
    assert browser.run("[$('count').textContent, document.activeElement.id]") == ["", "map"]


def test_a_timeline_by_keyboard(pages: dict[str, Path], browser: Page) -> None:
    browser.show(pages["timeline"], width=390)
    browser.run("document.querySelector('[role=slider]').focus()")
    now = "Number(document.activeElement.getAttribute('aria-valuenow'))"
    assert browser.run(now) == 0
    for _ in range(3):
        browser.press("ArrowRight")
    moved = browser.run(now)
    assert moved > 0
    browser.press("ArrowLeft")
    assert browser.run(now) < moved
    browser.press("Enter")
    played = "document.querySelector('video').currentTime"
    assert browser.run(played) == pytest.approx(browser.run(now), abs=0.1)


def test_a_report_is_sorted_and_filtered_by_keyboard(pages: dict[str, Path], browser: Page) -> None:
    browser.show(pages["eval"], width=1300)
    rows = (
        "[...document.getElementById('class-filter').closest('section').querySelectorAll("
        "'tbody tr')].filter(r => !r.hidden).map(r => r.cells[0].textContent.trim())"
    )
    names = browser.run(rows)
    head = "[...document.querySelectorAll('th')].find(h => h.textContent.trim() === 'Class')"
    browser.run(f"{head}.focus()")
    browser.press("Enter")
    once = browser.run(rows)
    browser.press("Enter")
    assert sorted(names) == sorted(once)
    assert browser.run(rows) == once[::-1]
    browser.run("document.getElementById('class-filter').focus()")
    for letter in "zoom":
        browser.send("Input.insertText", text=letter)
    assert sorted(browser.run(rows)) == ["zoom in", "zoom out"]
