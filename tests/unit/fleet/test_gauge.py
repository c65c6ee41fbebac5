from automation.fleet.gauge import Gauge


def told(values, gauge):
    out = []
    for at_s, value in values:
        if gauge.has_moved(value, at_s):
            gauge.tell(value, at_s)
            out.append(value)
    return out


def test_the_first_figure_is_told_and_trembling_is_not():
    assert told([(n, 0.5 + 0.001 * (n % 2)) for n in range(300)], Gauge(0.02)) == [0.5]


def test_what_moves_all_the_time_is_told_once_a_minute():
    assert len(told([(n, n * 1.0) for n in range(600)], Gauge(0.5))) == 10


def test_what_crosses_a_bound_is_told_within_ten_seconds():
    assert told([(0, 0.2), (1, 0.04), (11, 0.04)], Gauge(1.0, (0.05,))) == [0.2, 0.04]


def test_what_jumps_over_a_bound_and_back_is_bounded():
    jumps = [(n, 0.01 if n % 2 else 0.09) for n in range(60)]
    assert len(told(jumps, Gauge(1.0, (0.05,)))) <= 6


def test_nothing_is_no_figure():
    assert told([(0, None), (1, None)], Gauge(0.1)) == []
