from hiera_cli.tasks.benchmark.timing import alternate, median_ratio


def test_contenders_take_turns_after_a_warm_up() -> None:
    calls: list[str] = []
    seconds = alternate({name: lambda name=name: calls.append(name) for name in "ab"}, rounds=2)
    assert calls == ["a", "b", "a", "b", "a", "b"]
    assert {name: len(values) for name, values in seconds.items()} == {"a": 2, "b": 2}
    assert all(value >= 0 for values in seconds.values() for value in values)


def test_the_ratio_is_taken_within_a_round() -> None:
    # the machine was ten times slower in the last round: the ratio does not care
    assert median_ratio((2.0, 2.2, 20.0), (1.0, 1.0, 10.0)) == 2.0
