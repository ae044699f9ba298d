"""The WebSocket to gateways: changes go down at once, and are live when all have acknowledged."""

import asyncio
import json
from contextlib import asynccontextmanager

from websockets.asyncio.client import connect

from controller.ingress.gate import Gate
from controller.ingress.state import GateState
from dataplane.contract.routes import SUBPROTOCOL, Target, read_delta


@asynccontextmanager
async def served():
    gate = Gate(GateState())
    bound = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(gate.run("127.0.0.1", 0, bound))
    try:
        async with asyncio.timeout(20):
            yield gate, f"ws://127.0.0.1:{await bound}"
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


class Gateway:
    """One that takes what it is told and says so when asked to."""

    def __init__(self, socket):
        self.socket = socket

    async def hello(self, version=0):
        await self.say("hello", {"gateway": "g", "version": version})

    async def say(self, name, content):
        await self.socket.send(json.dumps({name: content}))

    async def delta(self):
        return read_delta(json.loads(await self.socket.recv())["delta"])

    async def apply(self):
        delta = await self.delta()
        await self.say("applied", {"version": delta.version})
        return delta


async def test_a_change_is_live_when_every_gateway_uses_it():
    async with (
        served() as (gate, address),
        connect(address, subprotocols=[SUBPROTOCOL]) as one,
        connect(address, subprotocols=[SUBPROTOCOL]) as two,
    ):
        first, second = Gateway(one), Gateway(two)
        for gateway in (first, second):
            await gateway.hello()
            await gateway.apply()
        await gate.applied(gate.state.version)
        gate.state.change(targets={"ns/a": Target()})
        gate.publish()
        assert (await first.apply()).targets == {"ns/a": Target()}
        delta = await second.delta()
        assert not gate.is_applied(gate.state.version)
        await second.say("applied", {"version": delta.version})
        await gate.applied(gate.state.version)


async def test_a_gateway_that_comes_back_gets_only_what_it_missed():
    async with served() as (gate, address):
        gate.state.change(targets={"ns/a": Target()})
        known = gate.state.version
        gate.state.change(targets={"ns/b": Target()})
        async with connect(address, subprotocols=[SUBPROTOCOL]) as socket:
            gateway = Gateway(socket)
            await gateway.hello(known)
            delta = await gateway.apply()
            assert (delta.since, set(delta.targets)) == (known, {"ns/b"})


async def test_without_a_gateway_nothing_is_live():
    async with served() as (gate, address):
        assert not gate.is_applied(0)
        async with connect(address, subprotocols=[SUBPROTOCOL]) as socket:
            await Gateway(socket).hello(gate.state.version)
            await gate.applied(gate.state.version)
        async with asyncio.timeout(5):
            while gate.count:
                await asyncio.sleep(0)


async def test_who_does_not_say_hello_is_sent_away():
    async with served() as (_gate, address), connect(address, subprotocols=[SUBPROTOCOL]) as socket:
        await Gateway(socket).say("applied", {"version": 1})
        await socket.wait_closed()
        assert socket.close_code == 1002
