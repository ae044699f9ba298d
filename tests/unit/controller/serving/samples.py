"""samples: objects as they are stored, for tests of what is made of them."""

import msgspec

from controller.api.context import Context
from controller.api.core import KubeDeployment, Pod
from controller.api.registry import BY_KIND
from controller.api.serving import Configuration, Revision, Route, Service
from controller.config.settings import Settings

NOW = "2026-01-01T00:00:00Z"
SERVING = "serving.knative.dev"


def settings(**maps):
    """Settings with some maps: `settings(network={"ingress-class": "x"})`."""
    made = Settings()
    for name, data in maps.items():
        if name == "deployment":
            data = {"queue-sidecar-image": "queue:1", **data}
        made, problems = made.changed(f"config-{name}", data)
        assert problems == []
    return made


def stored(kind, document, given=None):
    """The struct of a document, with its defaults."""
    row = BY_KIND[(SERVING, kind)]
    found = msgspec.convert(document, row.struct)
    return row.defaulted(found, Context(settings=given or Settings()))


def meta(called, /, **more):
    return {"name": called, "namespace": "ns", "uid": f"uid-of-{called}", "generation": 1} | more


def status(*conditions, generation=1, **more):
    made = [{"type": kind, "status": state, **(said[0] if said else {})} for kind, state, *said in conditions]
    return {"observedGeneration": generation, "conditions": made, **more}


def why(reason, message=""):
    return {"reason": reason, "message": message}


def said(kind, state, reason="", message=""):
    """A condition as a document."""
    made = {"type": kind, "status": state, "reason": reason, "message": message}
    return {key: value for key, value in made.items() if value}


def revision(name="hello-00001", containers=None, metadata=None, status=None, given=None, **spec) -> Revision:
    labels = {
        f"{SERVING}/configuration": "hello",
        f"{SERVING}/configurationGeneration": "1",
        f"{SERVING}/service": "hello",
        f"{SERVING}/routingState": "active",
    }
    extra = dict(metadata or {})
    made = {
        "metadata": meta(name, labels=labels | extra.pop("labels", {}), **extra),
        "spec": {"containers": containers or [{"image": "example.com/app"}], **spec},
        "status": status or {},
    }
    return stored("Revision", made, given)


def service(name="hello", traffic=(), template=None, metadata=None, status=None, containers=None) -> Service:
    made = {
        "metadata": meta(name, **(metadata or {})),
        "spec": {
            "template": {
                "metadata": template or {}, "spec": {"containers": containers or [{"image": "example.com/app"}]},
            },
            "traffic": list(traffic),
        },
        "status": status or {},
    }  # fmt: skip
    return stored("Service", made)


def configuration(name="hello", template=None, metadata=None, status=None, containers=None) -> Configuration:
    made = {
        "metadata": meta(name, **(metadata or {})),
        "spec": {
            "template": {
                "metadata": template or {}, "spec": {"containers": containers or [{"image": "example.com/app"}]},
            }
        },
        "status": status or {},
    }  # fmt: skip
    return stored("Configuration", made)


def route(*traffic, name="hello", metadata=None, status=None) -> Route:
    made = {"metadata": meta(name, **(metadata or {})), "spec": {"traffic": list(traffic)}, "status": status or {}}
    return stored("Route", made)


def owned(name, owner, **more):
    """Metadata of a child."""
    reference = {
        "apiVersion": owner.api_version, "kind": owner.kind, "name": owner.name, "uid": owner.metadata.uid,
        "controller": True, "blockOwnerDeletion": True,
    }  # fmt: skip
    return meta(name, ownerReferences=[reference], **more)


def deployment(owner, replicas=1, ready=0, *conditions, metadata=None) -> KubeDeployment:
    made = {
        "metadata": metadata or owned(f"{owner.name}-deployment", owner),
        "spec": {"replicas": replicas},
        "status": {"readyReplicas": ready, "availableReplicas": ready, "conditions": list(conditions)},
    }
    return msgspec.convert(made, KubeDeployment)


def pod(*conditions, containers=()) -> Pod:
    made = {
        "metadata": {"name": "pod", "namespace": "ns"},
        "status": {"phase": "Pending", "conditions": list(conditions), "containerStatuses": list(containers)},
    }
    return msgspec.convert(made, Pod)
