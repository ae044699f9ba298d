"""Domain: which routes get which domain, from config-domain (SC 3.5)."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from controller.api.values import subdomain_problems
from controller.config.reader import Reader

WILDCARD = "wildcard"
CLUSTER_DOMAIN = "cluster.local"
"""Where nobody says otherwise."""


class DomainRule(msgspec.Struct, frozen=True, kw_only=True):
    """One domain, and the labels that a route needs to get it."""

    domain: str
    selector: dict[str, str] = {}
    type: str = ""

    def matches(self, labels: Mapping[str, str]) -> bool:
        return all(labels.get(key) == value for key, value in self.selector.items())


class Domain(msgspec.Struct, frozen=True):
    """The rules, those with most labels first; among equals the smallest name."""

    rules: tuple[DomainRule, ...] = ()

    def best(self, labels: Mapping[str, str], cluster_domain: str = CLUSTER_DOMAIN) -> str:
        """The domain of a route with these labels; the cluster's own where no rule fits (SC-122)."""
        found = next((rule.domain for rule in self.rules if rule.matches(labels)), None)
        return found if found is not None else f"svc.{cluster_domain}"


def read(data: Mapping[str, str]) -> tuple[Domain, list[str]]:
    """Settings, and every problem of the map; a domain with a problem is left out."""
    reader = Reader(data)
    rules = [rule for key in reader.said_keys() if (rule := _rule(reader, key)) is not None]
    return Domain(tuple(sorted(rules, key=lambda rule: (-len(rule.selector), rule.domain)))), reader.problems


def _rule(reader: Reader, domain: str) -> DomainRule | None:
    before = len(reader.problems)
    said = reader.yaml(domain)
    if len(reader.problems) > before:
        return None
    body = {} if said is None else said
    if not isinstance(body, dict):
        reader.refuse(f'invalid configuration for domain "{domain}": expected a map with selector and type')
        return None
    if subdomain_problems(domain):
        reader.refuse(f'invalid domain "{domain}": {"; ".join(subdomain_problems(domain))}')
        return None
    selector, kind = body.get("selector") or {}, body.get("type") or ""
    if not isinstance(selector, dict) or not all(isinstance(value, str) for pair in selector.items() for value in pair):
        reader.refuse(
            f'invalid selector for domain "{domain}": expected a map of labels, each with a text as its value'
        )
        return None
    if kind not in ("", WILDCARD):
        reader.refuse(f'invalid type "{kind}" for domain "{domain}": must be empty or "{WILDCARD}"')
        return None
    return DomainRule(domain=domain, selector=selector, type=kind if selector else WILDCARD)
