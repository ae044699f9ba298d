"""The word of a sidecar: for whom it is believed, and what becomes of everything else."""

import asyncio
import base64
import json
from contextlib import asynccontextmanager

import httpx
import pytest

from controller.api.core import Pod, PodStatus
from controller.api.meta import ObjectMeta
from controller.autoscaler import announcements
from controller.autoscaler.announcements import Announcements
from controller.autoscaler.tokens import POD_NAME, POD_UID, Tokens
from dataplane.contract.announcement import AUDIENCE, PATH
from dataplane.kube.errors import KubeError, Unreachable

SAID = {"pod": "ns/pod-a", "revision": "ns/rev", "address": "10.0.0.7"}
USER = {"username": "system:serviceaccount:ns:default", "extra": {POD_NAME: ["pod-a"], POD_UID: ["uid-a"]}}


def status(**changes):
    return {"authenticated": True, "audiences": [AUDIENCE], "user": USER, **changes}


def token(expires_s=2_000.0):
    claims = base64.urlsafe_b64encode(json.dumps({"exp": expires_s}).encode()).rstrip(b"=").decode()
    return f"head.{claims}.signature"


def pod(uid="uid-a", revision="rev", address="10.0.0.7", **more):
    deleted = {"deletion_timestamp": "2026-01-01T00:00:00Z"} if more.pop("deleted", False) else {}
    labels = {"serving.knative.dev/revision": revision} if revision else {}
    meta = ObjectMeta(name="pod-a", namespace="ns", uid=uid, labels=labels, **deleted)
    return Pod(metadata=meta, status=PodStatus(pod_ip=address, **more))


class Reviewer:
    """An API server that reviews tokens as it is told."""

    def __init__(self, **answer):
        self.answer = answer or status()
        self.away = None
        self.asked = []

    async def create(self, resource, namespace, body, kind):
        self.asked.append(body["spec"])
        if self.away is not None:
            raise self.away
        return {"status": self.answer}


class World:
    def __init__(self, reviewer, pods):
        self.reviewer = reviewer
        self.told = []
        self.now_s = 1_000.0
        self.tokens = Tokens(reviewer, lambda: self.now_s)
        self.made = Announcements(
            self.tokens, lambda namespace, name: pods.get(f"{namespace}/{name}"),
            lambda key, address: self.told.append((key, address)), lambda: self.now_s,
        )  # fmt: skip

    async def say(self, said=SAID, bearer=None, **more):
        headers = {"Authorization": f"Bearer {bearer or token()}"}
        return await self.http.post(f"http://{self.place}{PATH}", json=said, headers=headers, **more)


@asynccontextmanager
async def world(reviewer=None, **pods):
    made = World(reviewer or Reviewer(), {"ns/pod-a": pod()} if not pods else {"ns/pod-a": pods["seen"]})
    bound = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(made.made.run("127.0.0.1", 0, bound))
    try:
        async with asyncio.timeout(20), httpx.AsyncClient(trust_env=False) as made.http:
            made.place = f"127.0.0.1:{await bound}"
            yield made
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def raw(place, data):
    """The first line of the answer to these bytes."""
    host, _, port = place.partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(data)
        return (await reader.readline()).decode().strip()
    finally:
        writer.close()


async def test_a_pod_is_believed_for_itself():
    async with world() as made:
        assert (await made.say()).status_code == 204
        assert made.told == [(("ns", "rev"), "10.0.0.7")]
        assert made.reviewer.asked == [{"token": token(), "audiences": [AUDIENCE]}]
        counts = (await made.http.get(f"http://{made.place}/metrics")).text
        assert 'penstock_announcements_total{outcome="believed"} 1' in counts


@pytest.mark.parametrize(
    ("seen", "changes", "code", "outcome"),
    [
        (pod(), {"pod": "ns/pod-b"}, 403, "forbidden"),
        (pod(), {"revision": "ns/other"}, 403, "forbidden"),
        (pod(), {"revision": "other/rev"}, 403, "forbidden"),
        (pod(), {"address": "10.0.0.8"}, 403, "forbidden"),
        (pod(), {"address": "nowhere"}, 403, "forbidden"),
        (pod(uid="uid-b"), {}, 403, "forbidden"),
        (pod(revision=""), {}, 403, "forbidden"),
        (pod(deleted=True), {}, 403, "forbidden"),
        (pod(phase="Failed"), {}, 403, "forbidden"),
        (None, {}, 503, "unseen"),
        (pod(address=""), {}, 503, "unseen"),
    ],
    ids=["pod", "revision", "namespace", "address", "no-address", "uid", "label", "leaving", "over", "unseen", "ip"],
)
async def test_nothing_else_is_believed_of_it(seen, changes, code, outcome, caplog):
    async with world(seen=seen) as made:
        assert (await made.say(SAID | changes)).status_code == code
        assert (made.told, made.made.counts) == ([], {outcome: 1})
    assert [record.levelname for record in caplog.records] == ["WARNING"]


async def test_an_address_that_nobody_knows_yet_is_the_one_that_speaks():
    async with world(seen=pod(address="")) as made:
        assert (await made.say(SAID | {"address": "::ffff:127.0.0.1"})).status_code == 204
        assert len(made.told) == 1


@pytest.mark.parametrize(
    "answer",
    [
        {"authenticated": False, "error": "the token has expired"},
        {},
        status(audiences=["https://kubernetes.default"]),
        status(audiences=None),
        status(user={"username": "system:serviceaccount:ns:default"}),
        status(user={"username": "somebody", "extra": USER["extra"]}),
    ],
    ids=["expired", "nothing", "audience", "no-audience", "unbound", "no-account"],
)
async def test_a_token_that_is_no_pods_is_refused(answer, caplog):
    async with world(Reviewer(**(answer or {"authenticated": None}))) as made:
        assert (await made.say()).status_code == 401
        assert (made.told, made.made.counts) == ([], {"unauthenticated": 1})
    assert len(caplog.records) == 1


async def test_without_a_token_nobody_is_asked():
    async with world() as made:
        answer = await made.http.post(f"http://{made.place}{PATH}", json=SAID)
        assert (answer.status_code, made.reviewer.asked) == (401, [])


@pytest.mark.parametrize("away", [Unreachable(0, "Unreachable", "no answer"), KubeError(403, "Forbidden", "no")])
async def test_an_api_server_that_does_not_review_is_asked_again(away):
    async with world() as made:
        made.reviewer.away = away
        assert (await made.say()).status_code == 503
        made.reviewer.away = None
        assert (await made.say()).status_code == 204
        assert made.made.counts == {"unreviewed": 1, "believed": 1}


async def test_a_review_counts_for_as_long_as_the_token():
    async with world() as made:
        for _ in range(2):
            await made.say(bearer=token(1_010.0))
        assert len(made.reviewer.asked) == 1
        made.now_s = 1_011.0
        made.reviewer.answer = {"authenticated": False}
        assert (await made.say(bearer=token(1_010.0))).status_code == 401


async def test_a_token_that_says_no_end_is_reviewed_each_time():
    async with world() as made:
        for _ in range(2):
            await made.say(bearer="opaque")
        assert len(made.reviewer.asked) == 2


async def test_who_comes_too_often_waits():
    async with world() as made:
        for _ in range(announcements.PEER_MAX):
            made.made._peers["127.0.0.1"] += 1
        assert (await made.say()).status_code == 429
        made.now_s += announcements.WINDOW_S
        assert (await made.say()).status_code == 204


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", 404),
        (b"nonsense\r\n\r\n", 400),
        (b"POST /ready HTTP/1.1\r\nno field\r\n\r\n", 400),
        (b"POST /ready HTTP/1.1\r\nA: 1\r\na: 2\r\n\r\n", 400),
        (b"POST /ready HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (b"POST /ready HTTP/1.1\r\nContent-Length: 5000\r\n\r\n", 400),
        (b"POST /ready HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST /ready HTTP/1.1\r\nContent-Length: 2\r\n\r\n[]", 400),
        (b"POST /ready HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}", 400),
        (b"POST /ready HTTP/1.1\r\nContent-Length: 4000\r\n\r\n" + b"[" * 4000, 400),
        (b"POST /ready HTTP/1.1\r\nA: " + b"a" * 40_000 + b"\r\n\r\n", 400),
    ],
    ids=["page", "line", "field", "twice", "chunked", "long", "length", "list", "fields", "depth", "head"],
)
async def test_a_message_that_is_wrong_is_told_so(data, code):
    async with world() as made:
        assert (await raw(made.place, data)).split()[1] == str(code)
        assert (made.told, made.reviewer.asked, made.made.counts) == ([], [], {"malformed": 1})


async def test_a_message_without_an_end_is_let_go(monkeypatch):
    monkeypatch.setattr(announcements, "MESSAGE_S", 0.05)
    async with world() as made:
        assert await raw(made.place, b"POST /ready HTTP/1.1\r\n") == ""
        assert made.made.counts == {"cut": 1}
