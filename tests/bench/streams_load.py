"""Programs that the benchmark of the streams runs in processes of their own.

python streams_load.py serve [uvloop]                       prints its port when it is ready
python streams_load.py hear PORT CLIENTS SECONDS STREAMS    counts messages; prints JSON
"""

import asyncio
import base64
import json
import sys
import time


class Client(asyncio.Protocol):
    """One websocket client that only counts frames."""

    def __init__(self, names):
        self.names, self.count, self.bytes, self.rest = names, 0, 0, b""
        self.is_open, self.lost = False, False

    def connection_made(self, transport):
        self.transport = transport
        key = base64.b64encode(b"0123456789abcdef").decode()
        transport.write(
            "GET /stream HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )

    def subscribe(self):
        """Ask for the streams, some at a time, in masked frames as clients send them."""
        for first in range(0, len(self.names), 100):
            part = self.names[first : first + 100]
            body = {"method": "SUBSCRIBE", "params": part, "id": first}
            text = json.dumps(body).encode()
            head = b"\x81" + bytes((128 | 126,)) + len(text).to_bytes(2) + b"\0\0\0\0"
            self.transport.write(head + text)

    def connection_lost(self, error):
        self.lost = True

    def data_received(self, data):
        data = self.rest + data if self.rest else data
        place = 0
        if not self.is_open:
            head = data.find(b"\r\n\r\n")
            if head < 0:
                self.rest = data
                return
            self.is_open, place = True, head + 4
            self.subscribe()
        size, count = len(data), 0
        while place + 10 <= size:
            length, header = data[place + 1], 2
            if length == 126:
                length, header = int.from_bytes(data[place + 2 : place + 4]), 4
            elif length == 127:
                length, header = int.from_bytes(data[place + 2 : place + 10]), 10
            if place + header + length > size:
                break
            place += header + length
            count += 1
        self.rest = data[place:]
        self.count += count
        self.bytes += place


async def hear(port, clients, seconds, names):
    loop = asyncio.get_running_loop()
    pairs = [
        await loop.create_connection(lambda: Client(names), "127.0.0.1", port)
        for _ in range(clients)
    ]
    every = [client for _, client in pairs]
    await asyncio.sleep(1.5)
    before, start = [client.count for client in every], time.perf_counter()
    await asyncio.sleep(seconds)
    took = time.perf_counter() - start
    counts = [client.count - first for client, first in zip(every, before, strict=True)]
    return {
        "per_second": sum(counts) / took,
        "least": min(counts) / took,
        "most": max(counts) / took,
        "megabytes": sum(client.bytes for client in every) / 1e6,
        "lost": sum(client.lost for client in every),
    }


async def serve():
    from automation.simulator import Simulator, open_market

    async with Simulator(open_market(7)) as sim:
        print(sim.port, flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    what, *rest = sys.argv[1:]
    if what == "serve" and "uvloop" in rest:
        import uvloop

        uvloop.run(serve())
    elif what == "serve":
        asyncio.run(serve())
    else:
        result = hear(int(rest[0]), int(rest[1]), float(rest[2]), rest[3].split("/"))
        print(json.dumps(asyncio.run(result)))
