"""Where to bind, and whom to believe."""

from __future__ import annotations

import pytest
from sidecar_env import problems, settings

from dataplane.config.schema import Trust

MAPPED = bytes(10) + b"\xff\xff"


@pytest.mark.spec("DP-023")
@pytest.mark.parametrize(
    ("text", "address"),
    [("", "::"), ("[::]", "::"), ("::", "::"), ("0.0.0.0", "0.0.0.0"), ("127.0.0.9", "127.0.0.9"), ("[::1]", "::1")],
)
def test_an_address_is_bound_without_its_brackets(text, address):
    assert settings(PENSTOCK_BIND_ADDRESS=text).listeners.address == address


@pytest.mark.parametrize("text", ["localhost", "127.0.0.1:80", "[::1", "256.0.0.1", "a\0b"])
def test_what_is_no_address_is_named(text):
    assert problems(PENSTOCK_BIND_ADDRESS=text)[0].startswith("PENSTOCK_BIND_ADDRESS: ")


def test_ranges_are_compared_as_ipv6_with_ipv4_mapped():
    said = settings(PENSTOCK_TRUSTED_CIDRS="10.1.2.3/8, fd00::1/8 ,,127.0.0.1").trusted
    assert said == (
        Trust(network=MAPPED + bytes([10, 0, 0, 0]), bits=104),
        Trust(network=b"\xfd" + bytes(15), bits=8),
        Trust(network=MAPPED + bytes([127, 0, 0, 1]), bits=128),
    )


def test_a_range_of_everything_is_everything():
    assert settings(PENSTOCK_TRUSTED_CIDRS="::/0").trusted == (Trust(network=bytes(16), bits=0),)
    assert settings(PENSTOCK_TRUSTED_CIDRS="0.0.0.0/0").trusted == (Trust(network=MAPPED + bytes(4), bits=96),)


def test_every_wrong_range_is_named():
    lines = problems(PENSTOCK_TRUSTED_CIDRS="10.0.0.0/33,all,10.0.0.0/8,::/129,1.2.3.4/")
    assert [line.split('"')[1] for line in lines] == ["10.0.0.0/33", "all", "::/129", "1.2.3.4/"]
