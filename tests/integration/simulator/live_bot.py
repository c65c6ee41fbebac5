"""An unmodified Freqtrade that trades live on the simulator, and a market that falls when told to."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import httpx

from automation.simulator import Trading, account, freqtrade_configuration, open_market, serving
from automation.simulator.candles import VOLUME, Candles
from automation.simulator.timeframes import MINUTE_MS

PAIR, SYMBOL = "BTC/USDT:USDT", "BTCUSDT"
FREQTRADE = Path(sys.executable).with_name("freqtrade")
KEY, SECRET = "live-key", "live-secret"
CALM = datetime(2024, 3, 1, 5, tzinfo=UTC)
"""The hour of the synthetic market in which every bot trades, whatever the wall clock says."""
STRATEGY = '''
from freqtrade.strategy import IStrategy


class Waiting(IStrategy):
    """Enters and exits only when it is told to."""

    timeframe = "5m"
    can_short = True
    minimal_roi = {}
    stoploss = -0.30
    startup_candle_count = 10
    process_only_new_candles = False

    def populate_indicators(self, dataframe, metadata):
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        return dataframe

    def adjust_entry_price(self, *, current_order_rate, **more):
        return self.config.get("adjusted_rate", current_order_rate)
'''


class Falling:
    """A synthetic market whose prices and volumes from an instant on are scaled, for ever."""

    def __init__(self, seed: int) -> None:
        self._inner = open_market(seed)
        self.from_ms, self.factor, self.volume = 1 << 60, 1.0, 1.0

    def __getattr__(self, name):
        return getattr(self._inner, name)

    def read(self, symbol, kind, series, start_ms, end_ms):
        rows = self._inner.read(symbol, kind, series, start_ms, end_ms)
        late = rows.open_ms >= self.from_ms
        if not late.any():
            return rows
        values = rows.values.copy()
        decimals = self.instruments[symbol].rules.tick_decimals
        values[late, :VOLUME] = (values[late, :VOLUME] * self.factor).round(decimals)
        digits = self.instruments[symbol].rules.quantity_precision
        values[late, VOLUME] = (values[late, VOLUME] * self.volume).round(digits)
        return Candles(rows.open_ms, values)


class Bot:
    """One `freqtrade trade` process and its REST interface."""

    def __init__(self, folder: Path, url: str, **settings) -> None:
        self.folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        (folder / "user_data" / "strategies").mkdir(parents=True)
        (folder / "user_data" / "strategies" / "Waiting.py").write_text(STRATEGY)
        orders = {
            "entry": "market",
            "exit": "market",
            "stoploss": "market",
            "force_entry": "market",
            "emergency_exit": "market",
            "stoploss_on_exchange": True,
            "stoploss_on_exchange_interval": 5,
        }
        config = freqtrade_configuration(url, [PAIR], live=True, key=KEY, secret=SECRET) | {
            "strategy": "Waiting",
            "force_entry_enable": True,
            "stake_amount": 200,
            "order_types": orders,
            "internals": {"process_throttle_secs": 1},
            "db_url": f"sqlite:///{folder / 'trades.sqlite'}",
            "api_server": {
                "enabled": True,
                "listen_ip_address": "127.0.0.1",
                "listen_port": port,
                "username": "u",
                "password": "p",
                "jwt_secret_key": "x" * 40,
                "ws_token": "t" * 40,
            },
        }
        for name, value in settings.items():
            both = isinstance(value, dict) and isinstance(config.get(name), dict)
            config[name] = config[name] | value if both else value
        (folder / "config.json").write_text(json.dumps(config))
        self.api = httpx.Client(
            base_url=f"http://127.0.0.1:{port}/api/v1", auth=("u", "p"), timeout=60
        )
        self.process: subprocess.Popen | None = None

    @property
    def log(self) -> str:
        return (self.folder / "bot.log").read_text()

    def start(self) -> None:
        command = [FREQTRADE, "trade", "-c", self.folder / "config.json"]
        command += ["--userdir", self.folder / "user_data", "--logfile", self.folder / "own.log"]
        with (self.folder / "bot.log").open("ab") as out:
            self.process = subprocess.Popen(
                list(map(str, command)),
                stdout=out,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONWARNINGS": "ignore", "COLUMNS": "10000"},
            )
        self.until(self._is_running, 120)

    def _is_running(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log[-3000:]
        try:
            return self.api.get("/show_config").json().get("state") == "running"
        except (httpx.TransportError, json.JSONDecodeError):
            return False

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def until(self, happened, within_s: float = 60):
        """Wait until something is true; gives it."""
        end = time.monotonic() + within_s
        while time.monotonic() < end:
            found = happened()
            if found:
                return found
            time.sleep(0.25)
        raise AssertionError(f"did not happen within {within_s} s:\n{self.log[-5000:]}")

    def enter(self, side: str, **more) -> int:
        body = {"pair": PAIR, "side": side} | more
        answer = self.api.post("/forceenter", json=body)
        assert answer.status_code == 200, answer.text + self.log[-3000:]
        return answer.json()["trade_id"]

    def exit(self, trade_id: int, **more) -> None:
        answer = self.api.post("/forceexit", json={"tradeid": str(trade_id)} | more)
        assert answer.status_code == 200, answer.text + self.log[-3000:]

    def trade(self, trade_id: int) -> dict:
        return self.api.get(f"/trade/{trade_id}").json()

    def knows_stop(self, trade_id: int) -> bool:
        """Whether its database has a stop on the exchange."""
        orders = self.trade(trade_id)["orders"]
        return any(each["ft_order_side"] == "stoploss" for each in orders)

    def closed(self, trade_id: int):
        found = self.trade(trade_id)
        return None if found["is_open"] else found


class Desk:
    """A simulator with one account, seen from the exchange's side."""

    def __init__(self, sim, market) -> None:
        self.sim, self.market = sim, market
        self.exchange = sim.desk.exchange
        self.account = self.exchange.accounts["live"]

    @property
    def position(self):
        return self.account.position(SYMBOL)

    @property
    def price(self) -> float:
        """Last price."""
        return self.sim.desk.feed.quote(SYMBOL, self.sim.desk.now_ms // 100 * 100).last / 10

    @property
    def stops(self) -> list:
        return [a for a in list(self.account.open_algo_orders.values()) if a.is_open]

    def fall(self, factor: float, volume: float = 1.0) -> None:
        """From the next minute on prices and volumes are these parts of what they would be."""
        now = self.sim.desk.now_ms
        self.market.factor, self.market.volume = factor, volume
        served = (now // MINUTE_MS + 1) * MINUTE_MS
        self.market.from_ms = served - self.sim.desk.venue.timeline.shift_ms
        self.sim.desk.feed.forget()

    def check_money(self) -> None:
        funds = self.exchange.floor.funds
        total = self.account.wallet + funds.fees + funds.insurance + funds.funding + funds.clearing
        assert total == funds.deposits


def simulator(seed: int = 11, tls_port: int = 0):
    """Serve a falling market with one account."""
    market = Falling(seed)
    trading = Trading([replace(account("live", KEY, SECRET, 10_000))])
    return market, serving(market, at=CALM, tls_port=tls_port, trading=trading)
