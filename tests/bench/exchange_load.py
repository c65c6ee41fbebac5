"""Programs that the exchange's benchmark runs in processes of their own.

python exchange_load.py serve SEED [LOGFILE]             prints a line with its port when it is ready
python exchange_load.py orders PORT CONNECTIONS SECONDS  signed orders, as many as it can
python exchange_load.py poll PORT BOTS SECONDS           what live bots ask, at their pace
"""

import asyncio
import hashlib
import hmac
import json
import sys
import time
from pathlib import Path
from urllib.parse import urlencode

ORDERS = [
    {"symbol": "BTCUSDT", "side": side, "type": "MARKET", "quantity": "0.002"}
    for side in ("BUY", "SELL")
]


class Connection(asyncio.Protocol):
    """One HTTP connection of one account."""

    def __init__(self, number):
        self.key, self.secret = f"key-{number}", f"secret-{number}".encode()
        self.count, self.refused, self.buffer = 0, 0, b""
        self.answered = None

    def connection_made(self, transport):
        self.transport = transport

    def send(self, method, path, parameters):
        query = urlencode(parameters | {"timestamp": int(time.time() * 1000)})
        query += "&signature=" + hmac.new(self.secret, query.encode(), hashlib.sha256).hexdigest()
        target, body = (path, query) if method == "POST" else (f"{path}?{query}", "")
        head = f"{method} {target} HTTP/1.1\r\nHost: x\r\nX-MBX-APIKEY: {self.key}\r\n"
        self.transport.write(f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode())

    def data_received(self, data):
        self.buffer += data
        head, found, rest = self.buffer.partition(b"\r\n\r\n")
        if not found:
            return
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        if len(rest) >= length:
            self.buffer = b""
            self.count += 1
            self.refused += b" 200 " not in head[:20]
            self.answered()


async def connect(port, count):
    loop = asyncio.get_running_loop()
    made = [
        await loop.create_connection(lambda i=i: Connection(i), "127.0.0.1", port)
        for i in range(count)
    ]
    return [each for _, each in made]


async def orders(port, count, seconds):
    connections = await connect(port, count)
    for each in connections:
        each.answered = lambda each=each: each.send(
            "POST", "/fapi/v1/order", ORDERS[each.count % len(ORDERS)]
        )
        each.answered()
    await asyncio.sleep(1)
    before, start = sum(each.count for each in connections), time.perf_counter()
    await asyncio.sleep(seconds)
    every = sum(each.count for each in connections)
    return {
        "per_second": (every - before) / (time.perf_counter() - start),
        "refused": sum(each.refused for each in connections),
        "requests": every,
    }


# A live bot with one open trade, throttle 5 s: balance and positions, its stop, an order, the book.
POLLED = [
    ("GET", "/fapi/v3/account", {}),
    ("GET", "/fapi/v3/positionRisk", {}),
    ("GET", "/fapi/v1/openAlgoOrders", {"symbol": "BTCUSDT"}),
    ("GET", "/fapi/v1/openOrders", {"symbol": "BTCUSDT"}),
    ("GET", "/fapi/v1/depth", {"symbol": "BTCUSDT", "limit": 5}),
    ("GET", "/fapi/v1/klines", {"symbol": "BTCUSDT", "interval": "5m", "limit": 499}),
]


async def poll(port, bots, seconds):
    connections = await connect(port, bots)
    for each in connections:
        each.done = asyncio.Event()
        each.answered = each.done.set

    async def bot(each, number):
        await asyncio.sleep(5 * number / bots)
        while True:
            begun = time.monotonic()
            for request in POLLED:
                each.done.clear()
                each.send(*request)
                await each.done.wait()
            await asyncio.sleep(max(5 - (time.monotonic() - begun), 0))

    tasks = [asyncio.create_task(bot(each, n)) for n, each in enumerate(connections)]
    await asyncio.sleep(seconds)
    for task in tasks:
        task.cancel()
    refused = sum(each.refused for each in connections)
    return {"requests": sum(each.count for each in connections), "refused": refused}


def serve(seed, log_path=None):
    from automation.simulator import Trading, account, open_market, serving
    from automation.simulator.trading.log import FileLog

    accounts = [account(f"a{i}", f"key-{i}", f"secret-{i}", 1_000_000) for i in range(64)]
    log = FileLog(Path(log_path)) if log_path else None
    with serving(open_market(int(seed)), trading=Trading(accounts, log=log)) as sim:
        print(sim.port, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    what, *rest = sys.argv[1:]
    if what == "serve":
        serve(*rest)
    else:
        program = orders if what == "orders" else poll
        print(json.dumps(asyncio.run(program(*map(int, rest)))))
