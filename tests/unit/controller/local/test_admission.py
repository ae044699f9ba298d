"""Our kinds in the embedded API: completed and refused as the webhook does it."""

from __future__ import annotations

from typing import Any

import pytest

from controller.config.settings import Settings
from controller.local.admission import admission, kinds
from controller.local.api.kinds import CORE, Kind
from controller.local.api.registry import CREATE, Request
from controller.local.api.status import ApiError

NAMESPACE = "knative-serving"


def kind(plural: str, group: str) -> Kind:
    return next(each for each in (*CORE, *kinds()) if (each.plural, each.group) == (plural, group))


def service(**container: Any) -> Any:
    return {
        "apiVersion": "serving.knative.dev/v1", "kind": "Service",
        "metadata": {"name": "hello", "namespace": "default"},
        "spec": {"template": {"spec": {"containers": [container]}}},
    }  # fmt: skip


def judged(found: Any, plural: str = "services", group: str = "serving.knative.dev") -> Any:
    judge = admission(Settings, NAMESPACE)
    return judge(kind(plural, group), CREATE, found, None, Request(user="me"))


def test_a_service_gets_its_defaults_and_its_creator() -> None:
    found = judged(service(image="dev.local/hello"))
    assert found["metadata"]["annotations"]["serving.knative.dev/creator"] == "me"
    assert found["spec"]["template"]["spec"]["timeoutSeconds"] == 300


def test_a_service_without_an_image_is_refused_by_the_webhooks_name() -> None:
    with pytest.raises(ApiError) as refused:
        judged(service(name="app"))
    assert refused.value.code == 400
    assert refused.value.message.startswith(
        'admission webhook "validation.webhook.serving.knative.dev" denied the request: validation failed: '
    )
    assert "spec.template.spec.containers[0].image" in refused.value.message


def test_a_setting_that_cannot_be_read_is_refused() -> None:
    found: Any = {
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "config-autoscaler", "namespace": NAMESPACE},
        "data": {"stable-window": "soon"},
    }  # fmt: skip
    with pytest.raises(ApiError, match=r"config\.webhook\.serving\.knative\.dev"):
        judged(found, "configmaps", "")
    found["metadata"]["namespace"] = "default"
    assert judged(found, "configmaps", "") is found
