"""Programs that the simulator's benchmark runs in processes of their own.

python simulator_load.py serve DATA [naive]        prints a line with its port when it is ready
python simulator_load.py most PORT CONNECTIONS SECONDS PATH...   as many requests as it can
python simulator_load.py steady PORT RATE SECONDS PATH...        a fixed rate; answer times
"""

import asyncio
import json
import sys
import time


class Connection(asyncio.Protocol):
    """One HTTP connection that counts complete answers."""

    def __init__(self, paths, done):
        self.requests = [f"GET {p} HTTP/1.1\r\nHost: x\r\n\r\n".encode() for p in paths]
        self.done, self.count, self.missing, self.head = done, 0, 0, b""

    def connection_made(self, transport):
        self.transport = transport

    def ask(self):
        self.asked_at = time.perf_counter()
        self.transport.write(self.requests[self.count % len(self.requests)])

    def data_received(self, data):
        if self.missing:
            self.missing -= len(data)
        else:
            self.head += data
            head, found, rest = self.head.partition(b"\r\n\r\n")
            if not found:
                return
            if b" 200 " not in head[:20]:
                raise SystemExit(head.decode())
            length = head.lower().split(b"content-length:")[1].split(b"\r\n")[0]
            self.missing, self.head = int(length) - len(rest), b""
        if not self.missing:
            self.count += 1
            self.done(self, time.perf_counter() - self.asked_at)


async def connect(port, count, paths, done):
    loop = asyncio.get_running_loop()
    pairs = [
        await loop.create_connection(lambda: Connection(paths, done), "127.0.0.1", port)
        for _ in range(count)
    ]
    return [protocol for _, protocol in pairs]


async def most(port, count, seconds, paths):
    connections = await connect(port, count, paths, lambda each, _: each.ask())
    for each in connections:
        each.ask()
    await asyncio.sleep(1)  # first answers are computed, later ones copied
    before, start = sum(each.count for each in connections), time.perf_counter()
    await asyncio.sleep(seconds)
    done = sum(each.count for each in connections) - before
    requests = sum(each.count for each in connections)
    return {"per_second": done / (time.perf_counter() - start), "requests": requests}


async def steady(port, rate, seconds, paths):
    times, idle = [], []

    def done(each, took):
        times.append(took)
        idle.append(each)

    idle += await connect(port, 64, paths, done)
    start = time.perf_counter()
    for number in range(int(rate * seconds)):
        await asyncio.sleep(max(0.0, start + number / rate - time.perf_counter()))
        idle.pop(0).ask()
    await asyncio.sleep(0.5)
    times.sort()
    ranks = {"p50_ms": 0.5, "p99_ms": 0.99, "p999_ms": 0.999}
    return {name: times[int(len(times) * part)] * 1000 for name, part in ranks.items()}


async def serve(data, *, naive):
    from automation.simulator import Simulator, open_market

    market = open_market(data)
    async with Simulator(market) as sim:
        port = await naive_server(market) if naive else sim.port
        print(port, flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


async def naive_server(market):
    """The same answer formatted anew for each request, for comparison."""
    from aiohttp import web

    from automation.simulator.charts import Chart
    from automation.simulator.timeframes import timeframe

    frame = timeframe("5m")
    chart = Chart(market, market.instruments["BTCUSDT"], "trade", frame)

    def row(at, values):
        first, high, low, last, v = values
        quote = v * (first + high + low + last) / 4
        return [
            at, f"{first:.2f}", f"{high:.2f}", f"{low:.2f}", f"{last:.2f}", f"{v:.3f}",
            at + 299_999,
            f"{quote:.5f}", int(quote / 1500), f"{v / 2:.3f}", f"{quote / 2:.5f}", "0",
        ]  # fmt: skip

    first = chart.bounds[1] - 500
    opens, values = frame.opens(first, first + 500).tolist(), chart.values(first, first + 500)

    async def handle(request):
        return web.json_response([row(*each) for each in zip(opens, values.tolist(), strict=True)])

    runner = web.ServerRunner(web.Server(handle, access_log=None))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return runner.addresses[0][1]


if __name__ == "__main__":
    what, *rest = sys.argv[1:]
    if what == "serve":
        asyncio.run(serve(rest[0], naive="naive" in rest))
    elif what == "most":
        result = most(int(rest[0]), int(rest[1]), float(rest[2]), rest[3:])
        print(json.dumps(asyncio.run(result)))
    else:
        result = steady(int(rest[0]), float(rest[1]), float(rest[2]), rest[3:])
        print(json.dumps(asyncio.run(result)))
