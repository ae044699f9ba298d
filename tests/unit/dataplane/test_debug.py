"""The debug pages: which exist, in which form, and that they tell the truth."""

from __future__ import annotations

import json
import socket
import threading

import pytest

from dataplane import debug
from dataplane.debug import DebugPages

FIGURES = {"workers": [{"counters": {"requests": {"main": 7}}, "load": (1, 2), "conns": 3}], "buffers_bytes": 0}


def pages(ports: dict[int, str] | None = None) -> DebugPages:
    return DebugPages(lambda: FIGURES, ports or {})


def get(made: DebugPages, target: str, *fields: str) -> tuple[int, str, str]:
    status, said, body = made.answer(target.encode(), "".join(f"{line}\r\n" for line in fields).encode())
    return status, said.decode(), body.decode()


def test_vars_are_the_figures_of_the_engine_and_of_the_kernel():
    status, fields, body = get(pages(), "/debug/vars")
    assert (status, "application/json" in fields) == (200, True)
    told = json.loads(body)
    assert told["workers"][0]["counters"] == {"requests": {"main": 7}}
    assert told["process"]["process_resident_memory_bytes"] > 0


@pytest.mark.parametrize(
    ("target", "accept", "is_text"),
    [
        ("/debug/vars?text", "*/*", True),
        ("/debug/vars", "text/plain", True),
        ("/debug/vars", "text/html, */*;q=0.1", False),
        ("/debug/vars", "application/json, text/plain", False),
        ("/debug/vars?texts", "*/*", False),
    ],
)
def test_text_is_given_to_those_who_ask_for_it(target, accept, is_text):
    status, fields, body = get(pages(), target, "Host: x", f"Accept: {accept}")
    assert status == 200
    assert ("text/plain" in fields) == is_text
    if is_text:
        assert "workers.0.counters.requests.main 7\n" in body
        assert "buffers_bytes 0\n" in body


def test_conns_are_the_sockets_of_this_process_and_nobody_else_s():
    with socket.create_server(("127.0.0.1", 0)) as door:
        port = door.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as caller, door.accept()[0] as accepted:
            caller.sendall(b"x" * 100)
            accepted.recv(1, socket.MSG_PEEK)
            told = json.loads(get(pages({port: "main"}), "/debug/conns")[2])
            text = get(pages({port: "main"}), "/debug/conns?text")[2]
            rows = {row["fd"]: row for row in told["conns"]}
            assert rows[door.fileno()]["state"] == "LISTEN"
            assert rows[accepted.fileno()] == {
                "fd": accepted.fileno(),
                "kind": "main",
                "state": "ESTABLISHED",
                "local": f"127.0.0.1:{port}",
                "peer": f"127.0.0.1:{caller.getsockname()[1]}",
                "unread_bytes": 100,
                "unsent_bytes": 0,
            }
            assert told["left_out"] == 0
            assert told["count"] == len(rows)
            assert f" local=127.0.0.1:{port} " in text


def test_ipv6_addresses_stand_in_brackets_and_mapped_ones_as_ipv4():
    assert debug._address("00000000000000000000000001000000:1F90") == ("[::1]", 8080)
    assert debug._address("0000000000000000FFFF00000100007F:1F90") == ("127.0.0.1", 8080)


def test_a_page_of_conns_is_bounded_and_says_what_it_left_out(monkeypatch):
    monkeypatch.setattr(debug, "CONNS_MAX", 1)
    with socket.create_server(("127.0.0.1", 0)), socket.create_server(("127.0.0.1", 0)):
        told = json.loads(get(pages(), "/debug/conns")[2])
    assert len(told["conns"]) == 1
    assert told["left_out"] == told["count"] - 1 > 0


def test_stacks_show_where_each_thread_is():
    goes_on = threading.Event()
    waits = threading.Event()

    def stand_here() -> None:
        waits.set()
        goes_on.wait(20)

    thread = threading.Thread(target=stand_here)
    thread.start()
    try:
        waits.wait(20)
        told = json.loads(get(pages(), "/debug/stacks")[2])
        text = get(pages(), "/debug/stacks?text")[2]
    finally:
        goes_on.set()
        thread.join()
    assert any("stand_here" in call for call in told["python"][str(thread.ident)])
    assert thread.native_id in [task["tid"] for task in told["kernel"]]
    assert "stand_here" in text
    assert f"tid={thread.native_id} " in text


@pytest.mark.spec("DP-021")
@pytest.mark.parametrize("target", ["/debug/pprof", "/debug/pprof/", "/debug/pprof/heap?debug=1"])
def test_go_s_profiles_are_not_found_and_the_line_says_where_to_look(target):
    status, _, body = get(pages(), target)
    assert status == 404
    assert "/debug/vars" in body
    assert body.endswith("\n")


@pytest.mark.parametrize(("target", "status"), [("/debug/", 200), ("/debug", 200), ("/", 404), ("/debug/other", 404)])
def test_the_index_names_the_pages_and_all_else_is_not_found(target, status):
    assert get(pages(), target)[0] == status
