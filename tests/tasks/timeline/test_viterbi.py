"""Viterbi decoding as observations arrive, against the textbook's with all of them in hand."""

import numpy as np
import numpy.typing as npt
import pytest

from hiera_cli.tasks.timeline import viterbi
from hiera_cli.tasks.timeline.viterbi import OnlineViterbi, change_price, log_scores


def decode_offline(evidence: npt.NDArray[np.float64], price: float) -> list[int]:
    best, origins = evidence[0], []
    for row in evidence[1:]:
        moves = best[None, :] - price * (1 - np.eye(len(row)))
        origins.append(moves.argmax(axis=1))
        best = moves.max(axis=1) + row
    path = [int(best.argmax())]
    for origin in reversed(origins):
        path.append(int(origin[path[-1]]))
    return path[::-1]


@pytest.mark.parametrize("price", [0.0, 0.7, 2.0, 5.0])
def test_as_offline(price: float) -> None:
    rng = np.random.default_rng(3)
    evidence = np.log(rng.dirichlet([0.3] * 5, size=400))
    online = OnlineViterbi(price)
    path = [state for row in evidence for state in online.push(row)]
    assert len(path) > 300  # most are handed out on the way
    assert path + online.finish() == decode_offline(evidence, price)


def test_an_undecided_sequence_stays_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(viterbi, "LONGEST_DELAY", 10)
    online = OnlineViterbi(3.0)
    path = [state for _ in range(50) for state in online.push(np.zeros(4))]
    assert len(path) == 40
    assert path + online.finish() == [0] * 50


def test_price_and_evidence() -> None:
    assert change_price(0, 0.5) == 0
    assert change_price(2.0, 0.5) == pytest.approx(4 * np.log(3))
    assert log_scores(np.array([1, 0], np.float32)).tolist() == [0.0, np.log(1e-3)]
