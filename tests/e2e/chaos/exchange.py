"""The exchange simulator as it is asked from outside: with the accounts' own keys, and through `/admin`."""

import hashlib
import hmac
import json
import time
import urllib.request
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlencode

BOTS = {"one": "BTC", "two": "ETH", "three": "SOL"}
ALGO = "v1/algoOrder"
ORDER = "v1/order"


class Exchange:
    """One flight's exchange."""

    def __init__(self, home: Path, speed: float) -> None:
        self._home, self._speed = home, speed
        self.skew_ms = 0
        self._corrections = 0

    def ask(self, name: str, path: str, method: str = "GET", **parameters):
        """Ask in the name of an account; OSError when there is no answer, or a refusal."""
        query = urlencode(parameters | {"timestamp": self._now_ms(), "recvWindow": 60_000})
        key = f"secret-of-{name}".encode()
        signature = hmac.new(key, query.encode(), hashlib.sha256).hexdigest()
        request = urllib.request.Request(
            f"{self._url()}/fapi/{path}?{query}&signature={signature}",
            method=method, headers={"X-MBX-APIKEY": f"key-of-{name}"},
        )  # fmt: skip
        with urllib.request.urlopen(request, timeout=5) as answer:
            return json.loads(answer.read())

    def position(self, name: str) -> float | None:
        """Size of the account's position; None when the exchange does not answer."""
        with suppress(OSError, ValueError):
            rows = self.ask(name, "v3/positionRisk", symbol=f"{BOTS[name]}USDT")
            return sum(float(row["positionAmt"]) for row in rows)
        return None

    def stops(self, name: str) -> list[dict]:
        """The conditional orders that stand."""
        return self.ask(name, "v1/openAlgoOrders", symbol=f"{BOTS[name]}USDT")

    def cancel_stops(self, name: str) -> None:
        """Take the stops of an account away."""
        for row in self.stops(name):
            self.ask(name, ALGO, "DELETE", algoId=row["algoId"])

    def trade_away(self, name: str, amount: float) -> None:
        """Sell what nobody knows of, as a person would."""
        self._corrections += 1
        self.ask(
            name, ORDER, "POST", symbol=f"{BOTS[name]}USDT", type="MARKET", quantity=abs(amount),
            side="SELL" if amount > 0 else "BUY",
            newClientOrderId=f"by-hand-{self._corrections}",
        )  # fmt: skip

    def worth_usdt(self) -> float | None:
        """What all accounts are worth together, open positions included."""
        with suppress(OSError, ValueError):
            told = [self.ask(name, "v3/account") for name in BOTS]
            return sum(float(account["totalMarginBalance"]) for account in told)
        return None

    def arm(self, lasts: float, **fault) -> str:
        """Let the exchange fail from now on, for real seconds; gives the fault's name."""
        name = f"chaos-{time.monotonic_ns()}"
        self._admin("POST", {"name": name, **fault, "lasts": lasts * self._speed})
        return name

    def hits(self, name: str) -> int:
        """How many requests a fault has hit."""
        return next(
            armed["hits"] for armed in self._admin("GET")["faults"] if armed["name"] == name
        )

    def _admin(self, method: str, body: dict | None = None):
        token = (self._home / "admin.token").read_text()
        request = urllib.request.Request(
            f"{self._url()}/admin/faults", body and json.dumps(body).encode(), method=method,
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
        )  # fmt: skip
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read())

    def _now_ms(self) -> int:
        if self._speed == 1:
            return int(time.time() * 1000) + self.skew_ms
        with urllib.request.urlopen(f"{self._url()}/fapi/v1/time", timeout=5) as answer:
            return json.loads(answer.read())["serverTime"]

    def _url(self) -> str:
        port = json.loads((self._home / "simulator" / "api.json").read_text())["port"]
        return f"http://127.0.0.1:{port}"
