"""Websocket connections: addresses, handshake, pings, ends.

Decides which addresses are streams and how long a connection lives. Refuses to know what streams
say. The server hands every upgrade request to `serve`.

Addresses, each also after /market, /public or /private: /ws, /ws/<stream>[/<stream>…],
/ws/<listenKey>, /ws?listenKey=<key>, /stream?streams=<stream>[/<stream>…].
"""

import asyncio
from urllib.parse import parse_qs, unquote

from aiohttp import WSMsgType, web

from automation.simulator.streams.connection import Connection
from automation.simulator.streams.hub import Hub
from automation.simulator.streams.requests import RequestRefused

_CATEGORIES = ("market", "public", "private")
_TEXT = (WSMsgType.TEXT, WSMsgType.BINARY)


def parse(target: str) -> tuple[bool, list[str]] | None:
    """Read an address: whether messages are combined, and the names in it; None if it is none."""
    path, _, query = target.partition("?")
    parts = [unquote(part) for part in path.split("/")[1:]]
    if parts and parts[0] in _CATEGORIES:
        parts = parts[1:]
    if not parts or parts[0] not in {"ws", "stream"}:
        return None
    given = parse_qs(query)
    names = [name for name in parts[1:] if name]
    for text in given.get("streams", []):
        names += [name for name in text.split("/") if name]
    return parts[0] == "stream", names + given.get("listenKey", [])


async def serve(hub: Hub, request: web.BaseRequest) -> web.StreamResponse:
    """Serve one connection until it ends."""
    address = parse(request.raw_path)
    if address is None:
        return web.Response(status=404)
    socket = web.WebSocketResponse(
        autoping=False, compress=False, max_msg_size=hub.rules.largest_request_bytes
    )
    await socket.prepare(request)
    transport = request.transport
    if transport is None:  # the client left during the handshake
        return socket
    connection = hub.connect(transport)
    connection.is_combined, names = address
    life = asyncio.create_task(_keep(hub, socket, connection))
    try:
        hub.subscribe(connection, names)
        await _hear(hub, socket, connection)
    except RequestRefused as refused:
        await socket.close(code=1008, message=refused.message.encode())
    except ConnectionError:  # the client left while it was being answered
        pass
    finally:
        life.cancel()
        hub.disconnect(connection)
    return socket


async def _hear(hub: Hub, socket: web.WebSocketResponse, connection: Connection) -> None:
    """Take what the client sends until the connection ends."""
    loop = asyncio.get_running_loop()
    async for message in socket:
        if not connection.may_ask(loop.time()):
            await socket.close(code=1008, message=b"Too many requests")
            return
        if message.type in _TEXT:
            hub.ask(connection, message.data)
        elif message.type is WSMsgType.PING:
            await socket.pong(message.data)
        elif message.type is WSMsgType.PONG:
            connection.ponged_s = loop.time()


async def _keep(hub: Hub, socket: web.WebSocketResponse, connection: Connection) -> None:
    """Ping the client; end the connection when it is silent or old."""
    loop, rules = asyncio.get_running_loop(), hub.rules
    began_s = connection.ponged_s = loop.time()
    while True:
        left_s = began_s + rules.longest_s - loop.time()
        await asyncio.sleep(max(min(rules.ping_every_s, left_s), 0.0))
        if loop.time() >= began_s + rules.longest_s:
            await socket.close(code=1001, message=b"24 hours are over")
            return
        if loop.time() - connection.ponged_s > rules.pong_within_s:
            connection.cut()
            return
        try:
            await socket.ping(str(hub.now_ms()).encode())
        except ConnectionError:  # the client has left
            return
