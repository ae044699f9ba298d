"""Autoscaling: PodAutoscaler and Metric (SC 2.2), and the annotations that steer them (SC 1.9)."""

from __future__ import annotations

import msgspec

from controller.api.meta import AUTOSCALING, ObjectReference, Resource, always
from controller.api.serving import Status

GROUP = "autoscaling.internal.knative.dev"
API_VERSION = f"{GROUP}/v1alpha1"

KPA_CLASS = "kpa.autoscaling.knative.dev"
HPA_CLASS = "hpa.autoscaling.knative.dev"
CONCURRENCY, RPS, CPU, MEMORY = "concurrency", "rps", "cpu", "memory"
LINEAR = "linear"
WEIGHTED_EXPONENTIAL = ("weighted-exponential", "weightedExponential")

ACTIVE = "Active"
SCALE_TARGET_INITIALIZED = "ScaleTargetInitialized"
SKS_READY = "SKSReady"
POD_AUTOSCALER_CONDITIONS = (ACTIVE, SCALE_TARGET_INITIALIZED, SKS_READY)
METRIC_CONDITIONS: tuple[str, ...] = ()

REACHABLE, UNREACHABLE, REACHABILITY_UNKNOWN = "Reachable", "Unreachable", ""


def _spellings(name: str, alias: str = "") -> tuple[str, ...]:
    return tuple(f"{AUTOSCALING}/{key}" for key in (name, alias) if key)


CLASS = _spellings("class")
METRIC = _spellings("metric")
TARGET = _spellings("target")
TARGET_UTILIZATION = _spellings("target-utilization-percentage", "targetUtilizationPercentage")
TARGET_BURST_CAPACITY = _spellings("target-burst-capacity", "targetBurstCapacity")
MIN_SCALE = _spellings("min-scale", "minScale")
MAX_SCALE = _spellings("max-scale", "maxScale")
INITIAL_SCALE = _spellings("initial-scale", "initialScale")
ACTIVATION_SCALE = _spellings("activation-scale")
SCALE_DOWN_DELAY = _spellings("scale-down-delay", "scaleDownDelay")
POD_RETENTION = _spellings("scale-to-zero-pod-retention-period", "scaleToZeroPodRetentionPeriod")
WINDOW = _spellings("window")
PANIC_WINDOW = _spellings("panic-window-percentage", "panicWindowPercentage")
PANIC_THRESHOLD = _spellings("panic-threshold-percentage", "panicThresholdPercentage")
AGGREGATION = _spellings("metric-aggregation-algorithm", "metricAggregationAlgorithm")
ALGORITHM = "autoscaling.penstock.dev/algorithm"
"""Which of our algorithms decides: `knative` or `predictive`."""

ALGORITHMS = ("knative", "predictive")


class PodAutoscalerSpec(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    """What to scale and whether anybody can reach it."""

    container_concurrency: int = 0
    scale_target_ref: ObjectReference = ObjectReference()
    reachability: str = REACHABILITY_UNKNOWN
    protocol_type: str = ""
    """`http1` or `h2c`."""


class PodAutoscalerStatus(Status, frozen=True, kw_only=True, gc=False):
    """What is wanted and what is there; both absent before the first decision."""

    service_name: str = ""
    metrics_service_name: str = ""
    desired_scale: int | None = None
    actual_scale: int | None = None


class PodAutoscaler(Resource, frozen=True, kw_only=True, gc=False):
    """The scale of one revision."""

    api_version: str = always(API_VERSION)
    kind: str = always("PodAutoscaler")
    spec: PodAutoscalerSpec = PodAutoscalerSpec()
    status: PodAutoscalerStatus = PodAutoscalerStatus()


class MetricSpec(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    """What to collect, over how long."""

    stable_window: int = 0
    """ns."""

    panic_window: int = 0
    """ns."""

    scrape_target: str = ""
    """The service whose pods are asked; empty where the activator sees every request."""


class Metric(Resource, frozen=True, kw_only=True, gc=False):
    """What the autoscaler knows of one revision's load."""

    api_version: str = always(API_VERSION)
    kind: str = always("Metric")
    spec: MetricSpec = MetricSpec()
    status: Status = Status()
