"""Processes: started, ended, taken up again by a later node."""

import asyncio
import os
import signal
import socket

import pytest

from controller.local import probes
from controller.local.probes import Place, ProbeError, can_connect
from controller.local.process import UNKNOWN_END, Begin, Process, StartError, birth


@pytest.fixture
def begin(tmp_path):
    def made(*argv):
        return Begin(argv, {"PATH": os.environ["PATH"]}, tmp_path)

    return made


async def ended(process):
    async with asyncio.timeout(20):
        return await process.ended


async def test_an_end_has_its_exit_code_and_its_output_is_kept(begin, tmp_path):
    process = Process.start(begin("sh", "-c", "echo out; echo err >&2; exit 7"), tmp_path / "log")
    assert await ended(process) == 7
    assert (tmp_path / "log").read_text() == "out\nerr\n"
    assert not process.is_running


async def test_a_signal_counts_as_the_shell_counts_it(begin, tmp_path):
    process = Process.start(begin("sleep", "600"), tmp_path / "log")
    process.signal(signal.SIGKILL)
    assert await ended(process) == 128 + signal.SIGKILL


async def test_who_does_not_leave_in_time_is_killed_with_all_it_has_started(begin, tmp_path):
    script = "trap '' TERM; sleep 600 & echo $!; while :; do wait; done"
    process = Process.start(begin("sh", "-c", script), tmp_path / "log")
    async with asyncio.timeout(20):
        while not (said := (tmp_path / "log").read_text()):
            await asyncio.sleep(0.01)
        await process.end(asyncio.get_running_loop().time() + 0.1)
        assert process.ended.result() == 128 + signal.SIGKILL
        while birth(int(said)) is not None:
            await asyncio.sleep(0.01)


async def test_a_process_is_taken_up_by_its_pid_and_birth(begin, tmp_path):
    first = Process.start(begin("sleep", "600"), tmp_path / "log")
    assert Process.adopt(first.pid, first.born + 1) is None
    again = Process.adopt(first.pid, first.born)
    first.forget()
    again.signal(signal.SIGTERM)
    assert await ended(again) == UNKNOWN_END
    os.waitpid(first.pid, 0)
    assert Process.adopt(first.pid, first.born) is None


@pytest.mark.parametrize(
    ("argv", "folder", "said"),
    [
        (("no-such-program",), "", "is not there; name a file in"),
        (("./plain",), "", "may not be executed; use chmod"),
        (("true",), "none", "is no folder of this machine"),
    ],
    ids=["missing", "forbidden", "folder"],
)
async def test_what_cannot_be_started_says_what_to_do(tmp_path, argv, folder, said):
    (tmp_path / "plain").write_text("no program")
    wanted = Begin(argv, {"PATH": os.environ["PATH"]}, tmp_path / folder)
    with pytest.raises(StartError, match=said):
        Process.start(wanted, tmp_path / "log")


async def test_probes_ask_by_command_and_by_connection(begin):
    place = Place("127.0.0.1", {"named": 1}, begin())
    await probes.ask({"exec": {"command": ["true"]}}, place, 20)
    for handler, said in (
        ({"exec": {"command": ["false"]}}, '"false" ended with 1'),
        ({"exec": {"command": ["sleep", "600"]}}, "no answer within 0.5 s"),
        ({"tcpSocket": {"port": "other"}}, 'port "other" is not among the ports'),
        ({"tcpSocket": {"port": "named"}}, "connect"),
    ):
        with pytest.raises(ProbeError, match=said):
            await probes.ask(handler, place, 0.5)


async def test_a_listener_is_seen_at_once_and_its_absence_too():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert can_connect("127.0.0.1", port)
        assert await probes.listens("127.0.0.1", port, 20)
    assert not can_connect("127.0.0.1", port)
    assert not await probes.listens("127.0.0.1", port, 0.01)


@pytest.mark.parametrize(
    ("answer", "said"),
    [(b"HTTP/1.1 204 No\r\n\r\n", ""), (b"HTTP/1.1 500 Bad\r\n\r\n", "status 500"), (b"hello\r\n", "not HTTP/1")],
    ids=["good", "bad", "odd"],
)
async def test_http_probes_go_by_the_status(begin, answer, said):
    async def serve(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        asked = probes.ask({"httpGet": {"port": port, "path": "/"}}, Place("127.9.9.9", {}, begin(), port), 20)
        if said:
            with pytest.raises(ProbeError, match=said):
                await asked
        else:
            await asked
