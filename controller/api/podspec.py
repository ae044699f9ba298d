"""PodSpec: which fields of a pod a revision may set, their types, and the flags that open them (SC 3.8)."""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

STRING: Schema = {"type": "string"}
INTEGER: Schema = {"type": "integer", "format": "int64"}
BOOLEAN: Schema = {"type": "boolean"}
INT_OR_STRING: Schema = {"x-kubernetes-int-or-string": True}
_DIGITS = r"(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))"
QUANTITY: Schema = {
    "anyOf": [{"type": "integer"}, {"type": "string"}],
    "x-kubernetes-int-or-string": True,
    "pattern": rf"^(\+|-)?{_DIGITS}(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?{_DIGITS}))?$",
}
ANY: Schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
"""An object that Kubernetes knows better: it is handed through."""


def array(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def mapping(values: Schema) -> Schema:
    return {"type": "object", "additionalProperties": values}


def closed(properties: dict[str, Schema]) -> Schema:
    """An object with these fields; others are dropped."""
    return {"type": "object", "properties": properties}


def opened(properties: dict[str, Schema]) -> Schema:
    """An object with these fields; others reach the rules, which refuse them by name."""
    return {**closed(properties), "x-kubernetes-preserve-unknown-fields": True}


HTTP_GET: dict[str, Schema] = {
    "host": STRING,
    "path": STRING,
    "scheme": STRING,
    "port": INT_OR_STRING,
    "httpHeaders": array(opened({"name": STRING, "value": STRING})),
}
TCP_SOCKET: dict[str, Schema] = {"host": STRING, "port": INT_OR_STRING}
EXEC: dict[str, Schema] = {"command": array(STRING)}
GRPC: dict[str, Schema] = {"port": INTEGER, "service": {**STRING, "nullable": True}}

HANDLERS: dict[str, dict[str, Schema]] = {
    "httpGet": HTTP_GET,
    "tcpSocket": TCP_SOCKET,
    "exec": EXEC,
    "grpc": GRPC,
}
"""The ways to probe, of which a probe has one."""

PROBE: dict[str, Schema] = {
    **{name: opened(fields) for name, fields in HANDLERS.items()},
    "initialDelaySeconds": INTEGER,
    "timeoutSeconds": INTEGER,
    "periodSeconds": INTEGER,
    "successThreshold": INTEGER,
    "failureThreshold": INTEGER,
}

KEY_SELECTOR = opened({"name": STRING, "key": STRING, "optional": BOOLEAN})
ENV_SOURCE: dict[str, Schema] = {"configMapKeyRef": KEY_SELECTOR, "secretKeyRef": KEY_SELECTOR}
ENV_SOURCE_FIELD_REF: dict[str, Schema] = {"fieldRef": ANY, "resourceFieldRef": ANY}
"""Opened by `podspec-fieldref`."""

ENV: dict[str, Schema] = {
    "name": STRING,
    "value": STRING,
    "valueFrom": opened({**ENV_SOURCE, **ENV_SOURCE_FIELD_REF}),
}
ENV_REF: dict[str, Schema] = {"name": STRING, "optional": BOOLEAN}
ENV_FROM: dict[str, Schema] = {"prefix": STRING, "configMapRef": opened(ENV_REF), "secretRef": opened(ENV_REF)}

PORT: dict[str, Schema] = {"containerPort": INTEGER, "name": STRING, "protocol": STRING}
RESOURCES: dict[str, Schema] = {"limits": mapping(QUANTITY), "requests": mapping(QUANTITY)}
CAPABILITIES: dict[str, Schema] = {"drop": array(STRING)}
CAPABILITIES_ADD: dict[str, Schema] = {"add": array(STRING)}
SECCOMP: dict[str, Schema] = {"type": STRING, "localhostProfile": STRING}

SECURITY_CONTEXT: dict[str, Schema] = {
    "capabilities": opened({**CAPABILITIES, **CAPABILITIES_ADD}),
    "readOnlyRootFilesystem": BOOLEAN,
    "runAsUser": INTEGER,
    "runAsGroup": INTEGER,
    "runAsNonRoot": BOOLEAN,
    "allowPrivilegeEscalation": BOOLEAN,
    "seccompProfile": opened(SECCOMP),
}
VOLUME_MOUNT: dict[str, Schema] = {"name": STRING, "readOnly": BOOLEAN, "mountPath": STRING, "subPath": STRING}
VOLUME_MOUNT_PROPAGATION: dict[str, Schema] = {"mountPropagation": STRING}

CONTAINER: dict[str, Schema] = {
    "name": STRING,
    "image": STRING,
    "command": array(STRING),
    "args": array(STRING),
    "workingDir": STRING,
    "imagePullPolicy": STRING,
    "env": array(opened(ENV)),
    "envFrom": array(opened(ENV_FROM)),
    "ports": array(opened(PORT)),
    "resources": opened(RESOURCES),
    "securityContext": opened({**SECURITY_CONTEXT, "privileged": BOOLEAN}),
    "livenessProbe": opened(PROBE),
    "readinessProbe": opened(PROBE),
    "startupProbe": opened(PROBE),
    "terminationMessagePath": STRING,
    "terminationMessagePolicy": STRING,
    "volumeMounts": array(opened({**VOLUME_MOUNT, **VOLUME_MOUNT_PROPAGATION})),
}

KEY_TO_PATH: dict[str, Schema] = {"key": STRING, "path": STRING, "mode": INTEGER}
ITEMS = array(opened(KEY_TO_PATH))
PROJECTIONS: dict[str, dict[str, Schema]] = {
    "secret": {"name": STRING, "items": ITEMS, "optional": BOOLEAN},
    "configMap": {"name": STRING, "items": ITEMS, "optional": BOOLEAN},
    "serviceAccountToken": {"audience": STRING, "expirationSeconds": INTEGER, "path": STRING},
    "downwardAPI": {
        "items": array(opened({"path": STRING, "fieldRef": ANY, "resourceFieldRef": ANY, "mode": INTEGER}))
    },
}
VOLUME_SOURCES: dict[str, Schema] = {
    "secret": opened({"secretName": STRING, "items": ITEMS, "optional": BOOLEAN, "defaultMode": INTEGER}),
    "configMap": opened({"name": STRING, "items": ITEMS, "optional": BOOLEAN, "defaultMode": INTEGER}),
    "projected": opened(
        {
            "sources": array(opened({name: opened(fields) for name, fields in PROJECTIONS.items()})),
            "defaultMode": INTEGER,
        }
    ),
}
GATED_VOLUME_SOURCES: dict[str, tuple[Schema, str, str]] = {
    "emptyDir": (opened({"medium": STRING, "sizeLimit": QUANTITY}), "volumes-emptydir", "EmptyDir"),
    "persistentVolumeClaim": (opened({"claimName": STRING, "readOnly": BOOLEAN}), "persistent-volume-claim", ""),
    "hostPath": (ANY, "volumes-hostpath", "HostPath"),
    "csi": (ANY, "volumes-csi", "CSI"),
    "ephemeral": (ANY, "volumes-ephemeral", "Ephemeral"),
    "image": (ANY, "volumes-image", "Image"),
}
"""Type, flag, and the name in the sentence that refuses it."""

WRITABLE_VOLUMES = ("emptyDir", "persistentVolumeClaim", "ephemeral")
"""Sources whose mounts may be written; every other kind is read-only (SC-055)."""

POD: dict[str, Schema] = {
    "containers": array(opened(CONTAINER)),
    "volumes": array(
        opened(
            {
                "name": STRING,
                **VOLUME_SOURCES,
                **{name: schema for name, (schema, _, _) in GATED_VOLUME_SOURCES.items()},
            }
        )
    ),
    "serviceAccountName": STRING,
    "imagePullSecrets": array(opened({"name": STRING})),
    "enableServiceLinks": BOOLEAN,
}

POD_SECURITY_CONTEXT: dict[str, Schema] = {
    "runAsUser": INTEGER,
    "runAsGroup": INTEGER,
    "runAsNonRoot": BOOLEAN,
    "fsGroup": INTEGER,
    "supplementalGroups": array(INTEGER),
    "seccompProfile": opened(SECCOMP),
}
"""Opened by `podspec-securitycontext`."""

SECURITY_CONTEXT_FLAG = "securitycontext"
GATED_POD: dict[str, tuple[Schema, str]] = {
    "affinity": (ANY, "affinity"),
    "dnsConfig": (ANY, "dnsconfig"),
    "dnsPolicy": (STRING, "dnspolicy"),
    "hostAliases": (array(ANY), "hostaliases"),
    "hostIPC": (BOOLEAN, "hostipc"),
    "hostNetwork": (BOOLEAN, "hostnetwork"),
    "hostPID": (BOOLEAN, "hostpid"),
    "initContainers": (array(opened(CONTAINER)), "init-containers"),
    "nodeSelector": (mapping(STRING), "nodeselector"),
    "priorityClassName": (STRING, "priorityclassname"),
    "runtimeClassName": (STRING, "runtimeclassname"),
    "schedulerName": (STRING, "schedulername"),
    "securityContext": (opened(POD_SECURITY_CONTEXT), SECURITY_CONTEXT_FLAG),
    "shareProcessNamespace": (BOOLEAN, "shareprocessnamespace"),
    "tolerations": (array(ANY), "tolerations"),
    "topologySpreadConstraints": (array(ANY), "topologyspreadconstraints"),
}
"""Type and flag."""

REVISION: dict[str, Schema] = {
    "containerConcurrency": INTEGER,
    "timeoutSeconds": INTEGER,
    "responseStartTimeoutSeconds": INTEGER,
    "idleTimeoutSeconds": INTEGER,
}

REVISION_SPEC: Schema = opened(
    {**REVISION, **POD, "automountServiceAccountToken": BOOLEAN, **{name: each[0] for name, each in GATED_POD.items()}}
)
"""The schema of a revision's spec."""
