"""A WebSocket server and its client, both of the websockets library, which Evenkeel stands between.

`serve` answers every message with itself, and closes on "close, please". `call URL AUTHORITY` sees whether all comes through, and tells how
many connections that took; the authority is of the certificate where the URL is one of TLS.
"""

import asyncio
import ssl
import sys

import websockets
from websockets.asyncio.client import connect
from websockets.asyncio.server import serve

MIB = 1024 * 1024
AT_ONCE = 300


async def echo(socket):
    async for message in socket:
        if message == "close, please":
            await socket.close(4001, "as you wish")
            return
        await socket.send(message)


async def run_server():
    async with serve(echo, "127.0.0.1", 0, max_size=2 * MIB, subprotocols=["chat"]) as server:
        print("running on", server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()


class Caller:
    def __init__(self, url, authority):
        self.url = url
        self.tls = ssl.create_default_context(cafile=authority) if url.startswith("wss") else None
        self.connections = 0

    def connect(self, **options):
        self.connections += 1
        given = dict(ssl=self.tls, subprotocols=["chat"], max_size=2 * MIB, open_timeout=20, proxy=None)
        return connect(self.url, **given, **options)

    async def call_all(self):
        await self.echo()
        await self.large_messages()
        await self.closed_by_the_server()
        for _ in range(17):
            await self.ping()
        await asyncio.gather(*(self.one_of_many(index) for index in range(AT_ONCE)))

    async def echo(self):
        async with self.connect() as socket:
            assert socket.subprotocol == "chat"
            for index in range(100):
                await socket.send(f"message {index}")
                assert await socket.recv() == f"message {index}"
        assert socket.close_code == 1000, socket.close_code

    async def large_messages(self):
        async with self.connect(compression=None) as socket:
            for message in [bytes(range(256)) * (MIB // 256), "ä" * (MIB // 2)]:
                await socket.send(message)
                assert await socket.recv() == message

    async def closed_by_the_server(self):
        async with self.connect() as socket:
            await socket.send("close, please")
            try:
                await socket.recv()
                raise AssertionError("a message, and no close")
            except websockets.exceptions.ConnectionClosedError as closed:
                assert (closed.rcvd.code, closed.rcvd.reason) == (4001, "as you wish"), closed

    async def ping(self):
        async with self.connect() as socket:
            pong = await socket.ping()
            await asyncio.wait_for(pong, 20)

    async def one_of_many(self, index):
        async with self.connect() as socket:
            await socket.send(str(index))
            assert await socket.recv() == str(index)


def main():
    match sys.argv[1:]:
        case ["serve"]:
            asyncio.run(run_server())
        case ["call", url, authority]:
            caller = Caller(url, authority)
            asyncio.run(asyncio.wait_for(caller.call_all(), 100))
            print(caller.connections, "connections")
        case _:
            sys.exit(__doc__)


main()
