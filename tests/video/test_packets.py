import numpy as np

from hiera_cli.video.packets import PacketRun, PacketScan, packet_spans, plan_runs


def scan(ticks: list[int], keys: list[int], hidden: tuple[int, ...] = ()) -> PacketScan:
    """Packets in stored order; `keys` and `hidden` are places."""
    places = np.arange(len(ticks))
    return PacketScan(
        np.array(ticks, dtype=np.int64),
        has_pts=True,
        keys=np.isin(places, keys),
        shown=~np.isin(places, hidden),
        last_duration=1,
        damage=(),
        spans=np.stack([10 * places, 10 * places + 4], axis=1),
    )


def test_display_order() -> None:
    one = scan([0, 3, 1, 2, 4], [0])
    assert one.order.tolist() == [0, 2, 3, 1, 4]
    assert one.frame_ticks.tolist() == [0, 1, 2, 3, 4]
    assert one.regular


def test_hidden_packets_are_no_frames() -> None:
    one = scan([0, 1, 2, 3], [0, 2], hidden=(0, 1))
    assert (one.num_frames, one.frame_ticks.tolist()) == (2, [2, 3])


def test_what_is_not_regular() -> None:
    assert not scan([0, 1, 1], [0]).regular
    assert not scan([0, 1, 2], [1]).regular
    assert not scan([], []).regular


def test_groups_that_nobody_wants_are_left_out() -> None:
    one = scan(list(range(100)), [0, 25, 50, 75])
    assert plan_runs(one, [3]) == (PacketRun(0, 3),)
    assert plan_runs(one, [60]) == (PacketRun(50, 60),)
    assert plan_runs(one, [3, 80]) == (PacketRun(0, 3), PacketRun(75, 80))


def test_groups_close_together_are_one_run() -> None:
    one = scan(list(range(100)), [0, 25, 50, 75])
    assert plan_runs(one, [20, 30, 55]) == (PacketRun(0, 30), PacketRun(50, 55))


def test_leading_frames_of_an_open_group_need_the_group_before() -> None:
    """The key at place 4 is shown at 6; the frames at places 5 and 6 come before it."""
    one = scan([0, 1, 2, 3, 6, 4, 5, 7, 8], [0, 4])
    assert plan_runs(one, [5]) == (PacketRun(0, 6),)
    assert plan_runs(one, [6]) == (PacketRun(4, 4),)


def test_where_the_packets_of_runs_lie() -> None:
    one = scan([0, 1, 2, 3], [0, 2])
    assert packet_spans(one, (PacketRun(0, 1), PacketRun(3, 3))) == [(0, 4), (10, 14), (30, 34)]
