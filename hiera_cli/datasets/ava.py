"""People and what they do at key frames: the CSV and list files of AVA, and files shaped like them.

`video_id,timestamp,x1,y1,x2,y2,action_id,person_id`, a row a label, no header, boxes as fractions
of the frame. In detections and results the last column is a score, and the action may be empty.
MultiSports has frame numbers for seconds and is read alike.
"""

import csv
import math
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from hiera_cli.errors import NoInputError, UsageError

ROUNDING = 1e-3  # files have three decimals
NUM_COLUMNS = 8
PIXELS = 1.5  # no rounding makes a fraction this large

_ITEM = re.compile(r"(?:item|label)\s*\{([^}]*)\}")
_NAME = re.compile(r"""name\s*:\s*(?:"([^"]*)"|'([^']*)')""")
_ID = re.compile(r"\b(?:id|label_id)\s*:\s*(\d+)")
_LINE = re.compile(r"\s*(\d+)\s*:\s*(\S.*?)\s*")

Last = Literal["person", "score"]
Moment = tuple[str, int]
"""A key frame: the video's id and the second (or frame number) in it."""


@dataclass(frozen=True, slots=True)
class ActionBox:
    """A person at a key frame.

    Attributes:
        video: its id, without the file's suffix unless the file has one.
        timestamp: second (AVA) or frame number (MultiSports).
        x1, y1, x2, y2: corners as fractions of the frame.
        actions: action ids, ascending; empty for a detection without a label.
        person: number of the person in the video; None where the file has scores.
        score: of the detection; of the best action for results; None where there is none.
    """

    video: str
    timestamp: int
    x1: float
    y1: float
    x2: float
    y2: float
    actions: tuple[int, ...] = ()
    person: int | None = None
    score: float | None = None

    @property
    def moment(self) -> Moment:
        """Its key frame."""
        return (self.video, self.timestamp)

    @property
    def corners(self) -> tuple[float, float, float, float]:
        """x1, y1, x2, y2."""
        return (self.x1, self.y1, self.x2, self.y2)


@dataclass(frozen=True, slots=True)
class AvaFile:
    """A CSV file of boxes.

    Attributes:
        path: the file.
        boxes: in the order of their first rows; rows with the same key frame and corners are one.
        num_rows: with a box.
        num_empty: rows that only name a key frame, where nobody is.
    """

    path: Path
    boxes: tuple[ActionBox, ...]
    num_rows: int
    num_empty: int


def read_actions(path: Path) -> dict[int, str]:
    """Names of the actions by id: a label map in protobuf text, or lines of `id: name`.

    Raises:
        UsageError: the file cannot be read, lists no action or one id twice.
    """
    text = _read_text(path)
    items = _ITEM.findall(text)
    pairs = [_item(body, path) for body in items] if items else _lines_of(text, path)
    actions = dict(pairs)
    if not actions or len(actions) != len(pairs):
        raise UsageError(f"{path}: no actions, or two with one id")
    return actions


def read_ava(path: Path, *, last: Last, actions: Collection[int] | None = None) -> AvaFile:
    """Read and check a CSV file.

    Args:
        path: the file.
        last: what the last column means.
        actions: ids that there are; None: any.

    Raises:
        UsageError: a row that cannot be meant; the message names the line.
        NoInputError: no box in the file.
    """
    rows: dict[tuple[str, int, tuple[float, ...]], ActionBox] = {}
    num_rows = num_empty = 0
    for number, cells in _csv_rows(path):
        if not any(cells[2:]):
            num_empty += 1
            continue
        box = _box(cells, f"{path}, line {number}", last=last, actions=actions)
        key = (box.video, box.timestamp, box.corners)
        rows[key] = _joined(rows[key], box) if key in rows else box
        num_rows += 1
    if not rows:
        raise NoInputError(f"no boxes in '{path}'")
    return AvaFile(path, tuple(rows.values()), num_rows, num_empty)


def boxes_by_video(path: Path) -> dict[str, list[ActionBox]]:
    """Boxes of a CSV file by video id; its last column may be a score or a person's number.

    Persons are numbered without a decimal point: a file with nothing else there has no scores.

    Raises:
        UsageError: a row that cannot be meant.
        NoInputError: no box in the file.
    """
    cells = {row[7] for _, row in _csv_rows(path) if any(row[2:])}
    last: Last = "person" if all(cell.isdecimal() for cell in cells if cell) else "score"
    videos: dict[str, list[ActionBox]] = {}
    for box in read_ava(path, last=last).boxes:
        videos.setdefault(box.video, []).append(box)
    return videos


def read_results(
    path: Path, *, actions: Collection[int] | None = None
) -> list[tuple[ActionBox, int, float]]:
    """Results in AVA's format: a box, an action and its score for each row.

    Raises:
        UsageError: a row that cannot be meant, or one without an action.
    """
    results = []
    for number, cells in _csv_rows(path):
        what = f"{path}, line {number}"
        box = _box(cells, what, last="score", actions=actions)
        if not box.actions or box.score is None:
            raise UsageError(f"{what}: a result needs an action and a score")
        results.append((box, box.actions[0], box.score))
    return results


def read_excluded(path: Path) -> frozenset[Moment]:
    """Key frames that the evaluation leaves out: `video_id,timestamp` in each row.

    Raises:
        UsageError: a row that cannot be meant.
    """
    rows = _csv_rows(path, num_columns=2)
    return frozenset((cells[0], _timestamp(cells[1], f"{path}, line {n}")) for n, cells in rows)


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UsageError(f"cannot read '{path}': {error.strerror}") from error
    except ValueError as error:
        raise UsageError(f"'{path}' is no text: {error}") from error


def _item(body: str, path: Path) -> tuple[int, str]:
    name, number = _NAME.search(body), _ID.search(body)
    if name is None or number is None:
        raise UsageError(f"{path}: an item without name or id: {' '.join(body.split())}")
    return int(number[1]), name[1] if name[1] is not None else name[2]


def _lines_of(text: str, path: Path) -> list[tuple[int, str]]:
    pairs = []
    for number, line in enumerate(text.splitlines(), start=1):
        match = _LINE.fullmatch(line)
        if match is None and line.strip():
            raise UsageError(f"{path}, line {number}: '{line}' is not `id: name`")
        if match is not None:
            pairs.append((int(match[1]), match[2]))
    return pairs


def _csv_rows(path: Path, *, num_columns: int = NUM_COLUMNS) -> Iterator[tuple[int, list[str]]]:
    """Rows with their line numbers; blank lines and a header are passed over."""
    reader = csv.reader(_read_text(path).splitlines())
    try:
        for cells in reader:
            number = reader.line_num
            if not cells or (number == 1 and cells[0] in ("video_id", "video")):
                continue
            if len(cells) != num_columns:
                raise UsageError(
                    f"{path}, line {number}: {len(cells)} columns, not {num_columns}",
                    hint="AVA's rows are video_id,timestamp,x1,y1,x2,y2,action_id,person_id",
                )
            yield number, [cell.strip() for cell in cells]
    except csv.Error as error:
        raise UsageError(f"'{path}' is no CSV: {error}") from error


def _box(cells: list[str], what: str, *, last: Last, actions: Collection[int] | None) -> ActionBox:
    x1, y1, x2, y2 = _corners(cells[2:6], what)
    action = _whole(cells[6], "action", what) if cells[6] else None
    if action is not None and actions is not None and action not in actions:
        raise UsageError(f"{what}: action {action} is not in the list of actions")
    score = None
    if last == "score":
        score = _number(cells[7], what)
        if not 0 <= score <= 1:
            raise UsageError(f"{what}: the score is {cells[7]}, not in 0..1")
    return ActionBox(
        video=cells[0],
        timestamp=_timestamp(cells[1], what),
        x1=x1,
        y1=y1,
        x2=x2,
        y2=y2,
        actions=() if action is None else (action,),
        person=_whole(cells[7], "person", what) if last == "person" and cells[7] else None,
        score=score,
    )


def _corners(cells: list[str], what: str) -> list[float]:
    values = [_number(cell, what) for cell in cells]
    shown = ",".join(cells)
    if max(values) >= PIXELS:
        raise UsageError(
            f"{what}: {shown} are no fractions of the frame",
            hint="these look like pixels: divide by the frame's width and height",
        )
    if min(values) < -ROUNDING or max(values) > 1 + ROUNDING:
        raise UsageError(f"{what}: the box {shown} reaches outside the frame")
    x1, y1, x2, y2 = (min(max(value, 0.0), 1.0) for value in values)
    if x2 <= x1 or y2 <= y1:
        raise UsageError(f"{what}: the box {shown} has no area")
    return [x1, y1, x2, y2]


def _number(cell: str, what: str) -> float:
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise UsageError(f"{what}: '{cell}' is not a finite number")
    return value


def _whole(cell: str, name: str, what: str) -> int:
    if not cell.lstrip("-").isdecimal():
        raise UsageError(f"{what}: the {name} is '{cell}', not a whole number")
    return int(cell)


def _timestamp(cell: str, what: str) -> int:
    value = _number(cell, what)
    if value != int(value) or value < 0:
        raise UsageError(f"{what}: the timestamp is '{cell}', not a whole number")
    return int(value)


def _joined(before: ActionBox, row: ActionBox) -> ActionBox:
    """A box with the labels of two rows."""
    scores = [score for score in (before.score, row.score) if score is not None]
    return ActionBox(
        *before.moment,
        *before.corners,
        actions=tuple(sorted({*before.actions, *row.actions})),
        person=before.person,
        score=max(scores, default=None),
    )
