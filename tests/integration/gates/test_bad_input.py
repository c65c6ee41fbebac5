"""Wrong input is named, and everything else is still judged."""

import pytest

SKELETON = """{head}
from freqtrade.strategy import IStrategy


class {name}(IStrategy):
    timeframe = "15m"
    minimal_roi = {{"0": 0.1}}
    stoploss = -0.1
    startup_candle_count = 20

    def populate_indicators(self, dataframe, metadata):
        {indicators}
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["close"] < 0, "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        return dataframe
"""


def strategy(name: str, head: str = "", indicators: str = "pass") -> str:
    return SKELETON.format(name=name, head=head, indicators=indicators)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_each_fault_is_named_and_the_others_are_judged(gate, repository, checks):
    folder = "user_data/strategies"
    repository.write(f"{folder}/Broken.py", "class Broken(IStrategy)\n    pass\n")
    repository.write(f"{folder}/Lost.py", strategy("Lost", head="import nothing_like_this"))
    crash = strategy("Crash", indicators='dataframe["x"] = 1 / 0')
    repository.write(f"{folder}/Crash.py", crash)
    loop = strategy("Loop", indicators="while True: pass")
    repository.write(f"{folder}/Loop.py", loop)
    eats = strategy("Eats", indicators="self.kept = bytearray(2_000_000_000)")
    repository.write(f"{folder}/Eats.py", eats)
    repository.write(f"{folder}/Idle.py", strategy("Idle"))
    unready = strategy("Unready").replace("startup_candle_count = 20", "startup_candle_count = 0")
    repository.write(f"{folder}/Unready.py", unready)
    hasty = strategy(
        "Hasty", indicators='dataframe["slow"] = dataframe["close"].rolling(60).mean()'
    )
    repository.write(f"{folder}/Hasty.py", hasty)
    config = (repository.root / "gate.yaml").read_text()
    quick = "\nprocess: {time_s: 25, memory_mb: 1200}\nwithout: [look-ahead]\n"
    repository.write("gate.yaml", config + quick)

    document = gate("--all", "--no-base", "--workers", "2", code=1)
    verdicts = {one["name"]: one["verdict"] for one in document["strategies"]}
    assert verdicts.pop("Crossing") == "pass"
    assert set(verdicts.values()) == {"fail"}
    assert len(verdicts) == 8
    assert "not valid Python" in checks(document, name="Broken")["loads"]
    assert "nothing_like_this" in checks(document, name="Lost")["loads"]
    assert "ZeroDivisionError" in checks(document, name="Crash")["runs"]
    assert "time limit" in checks(document, name="Loop")["runs"]
    assert "memory limit" in checks(document, name="Eats")["runs"]
    assert "no trade" in checks(document, name="Idle")["zero trades"]
    unready_told = checks(document, "not judged", name="Unready")["recursive"]
    assert "invalid startup candle count of 0" in unready_told
    assert "too few: slow still empty" in checks(document, name="Hasty")["recursive"]
    assert str(repository.root) not in str(document)
    assert any("left out by the configuration: look-ahead" in one for one in document["notes"])


def test_a_ref_that_does_not_exist(gate, repository, checks):
    """The comparison is not judged, and everything else is."""
    config = (repository.root / "gate.yaml").read_text().replace("windows: 2", "windows: 1")
    repository.write("gate.yaml", config + "without: [look-ahead, recursive, truncation]\n")
    document = gate("--base", "no-such-ref", code=1)
    assert document["base"] == "there is no commit 'no-such-ref'"
    assert checks(document, "not judged") == {"comparison": "there is no commit 'no-such-ref'"}
    assert {"loads", "runs", "zero trades", "drawdown"} <= checks(document, "pass").keys()


def test_candles_that_the_bundle_lacks_are_named(gate, repository, checks):
    repository.change(('timeframe = "15m"', 'timeframe = "5m"'))
    document = gate("--smoke", "--base", "no-such-ref", code=1)
    assert document["base"] == "none"  # a smoke test compares with nothing
    told = checks(document, "not judged")
    assert told == {
        "runs": "the bundle has no 5m candles, only 15m, 1h; renew it with --timeframes"
    }


@pytest.mark.parametrize("keep", [0.3, 0.99])
def test_a_truncated_bundle(freqfleet, repository, bundle, tmp_path, keep):
    content = bundle.read_bytes()
    part = tmp_path / "part.tar.zst"
    part.write_bytes(content[: int(len(content) * keep)])
    done = freqfleet("gate", "run", "--bundle", part, cwd=repository.root)
    assert done.returncode == 2
    assert "part.tar.zst: is damaged, cut short or no bundle" in done.stderr
    assert "Traceback" not in done.stderr


def test_wrong_use(freqfleet, repository, bundle, tmp_path):
    def told(*arguments) -> str:
        done = freqfleet("gate", *arguments, cwd=repository.root)
        assert done.returncode == 2, done.stderr
        assert "Traceback" not in done.stderr
        return done.stderr

    assert "there is no bundle" in told("run")
    assert "no such bundle" in told("run", "--bundle", tmp_path / "none")
    assert "no strategy is named X" in told("run", "--bundle", bundle, "--strategy", "X")
    assert "no such file" in told("run", "--bundle", bundle, "--config", tmp_path / "none.yaml")
    into = ("-o", tmp_path / "b", "--timerange")
    assert "not clear" in told("bundle", *into, "20240101-20240201")
    assert "both ends" in told("bundle", *into, "20240101-", "--seed", "1")
    assert "not clear" in told("bundle", *into, "20240101-20240201", "--seed", "1")
    folder = "strategies: [user_data/strategies]"
    repository.write("gate.yaml", f"{folder}\nwindows: [20200101-20200201]")
    assert "outside the bundle's range" in told("run", "--bundle", bundle)


def test_a_disk_that_refuses_is_a_failure_outside(freqfleet, repository, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    words = ("gate", "bundle", "--seed", "1", "-p", "BTC/USDT:USDT", "--timeframes", "1h")
    done = freqfleet(*words, "--timerange", "20240101-20240105", "-o", blocked / "b")
    assert done.returncode == 3
    assert "cannot be written" in done.stderr
