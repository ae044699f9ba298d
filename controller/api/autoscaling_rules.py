"""AutoscalingRules: what annotations of the autoscaler (SC 1.9) and its objects (SC 2.2) may be, and their defaults."""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec.structs import replace

from controller.api import autoscaling as names
from controller.api.autoscaling import PodAutoscaler, PodAutoscalerSpec
from controller.api.context import Context
from controller.api.errors import (
    INT32_MAX,
    FieldError,
    disallowed,
    generic,
    invalid,
    missing,
    out_of_bounds,
    under,
)
from controller.api.meta import ObjectReference, annotation
from controller.api.values import NS_PER_S, duration_ns, duration_text, integer, label_1123_problems, number
from controller.api.values import qualified_name_problems as qualified

Annotations = dict[str, str]

WINDOW_MIN_NS, WINDOW_MAX_NS = 6 * NS_PER_S, 3600 * NS_PER_S
TARGET_MIN = 0.01
OWN_DOMAIN = ".knative.dev"
SECOND_PRECISION = "must be specified with at most second precision"


def annotation_problems(annotations: Annotations, context: Context) -> list[FieldError]:
    """All that is wrong with them; each under its key."""
    if not any(key.startswith(("autoscaling.knative.dev", "autoscaling.penstock.dev")) for key in annotations):
        return []
    return [
        *_class(annotations),
        *_scales(annotations, context.settings.autoscaler.max_scale_limit),
        *_numbers(annotations),
        *_times(annotations),
        *_words(annotations),
        *_initial_scale(annotations, context.settings.autoscaler.allow_zero_initial_scale),
    ]


def _class(annotations: Annotations) -> Iterator[FieldError]:
    found = annotation(annotations, names.CLASS)
    if found and found[1].endswith(OWN_DOMAIN) and found[1] not in (names.KPA_CLASS, names.HPA_CLASS):
        yield invalid(found[1], found[0])


def _scale(annotations: Annotations, keys: tuple[str, ...], problems: list[FieldError]) -> int:
    """The number, or 0 where there is none or it is wrong."""
    found = annotation(annotations, keys)
    if found is None:
        return 0
    key, said = found
    try:
        value = integer(said, 32)
    except OverflowError:
        value = -1
    except ValueError:
        problems.append(invalid(said, key))
        return 0
    if value < 0:
        problems.append(out_of_bounds(said, 0, INT32_MAX, key))
        return 0
    return value


def _scales(annotations: Annotations, limit: int) -> list[FieldError]:
    problems: list[FieldError] = []
    least = _scale(annotations, names.MIN_SCALE, problems)
    most = _scale(annotations, names.MAX_SCALE, problems)
    if most != 0 and most < least:
        paths = (names.MAX_SCALE[0], names.MIN_SCALE[0])
        problems.append(generic(f"max-scale={most} is less than min-scale={least}", *paths))
    said = annotation(annotations, names.MAX_SCALE)
    if said is not None and limit > 0:
        if most > limit:
            problems.append(out_of_bounds(most, 1, limit, said[0]))
        if most == 0:
            problems.append(generic(f"max-scale=0 (unlimited), must be less than {limit}", said[0]))
    return problems + list(_activation_scale(annotations, least, most))


def _activation_scale(annotations: Annotations, least: int, most: int) -> Iterator[FieldError]:
    found = annotation(annotations, names.ACTIVATION_SCALE)
    if found is None:
        return
    key, said = found
    try:
        value = integer(said, 32)
    except (ValueError, OverflowError):
        yield invalid(said, key)
        return
    if least > value:
        yield generic(f"min-scale={least} is greater than activation-scale={value}", key)
    elif most != 0 and most < value:
        yield generic(f"max-scale={most} is less than activation-scale={value}", key)
    elif value < 2:
        yield generic(f"activation-scale={value} must be greater than 1", key)


def _initial_scale(annotations: Annotations, may_be_zero: bool) -> Iterator[FieldError]:
    found = annotation(annotations, names.INITIAL_SCALE)
    if found is None:
        return
    key, said = found
    try:
        value = integer(said)
    except (ValueError, OverflowError):
        yield invalid(said, key)
        return
    if value < 0:
        yield invalid(said, f"{key} must be greater than 0")
    elif value == 0 and not may_be_zero:
        yield invalid(said, f"{key}=0 not allowed by cluster")


def _numbers(annotations: Annotations) -> Iterator[FieldError]:
    for keys, lower, upper in (
        (names.PANIC_WINDOW, 1, 100),
        (names.PANIC_THRESHOLD, 110, 1000),
        (names.TARGET_UTILIZATION, 1, 100),
    ):
        said, value = _number(annotations, keys)
        if said is not None and value is None:
            yield invalid(said[1], said[0])
        elif said is not None and value is not None and not lower <= value <= upper:
            yield out_of_bounds(said[1], lower, upper, said[0])
    said, value = _number(annotations, names.TARGET)
    if said is not None and value is None:
        yield invalid(said[1], said[0])
    elif said is not None and value is not None and value < TARGET_MIN:
        yield generic(f"target {said[1]} should be at least {TARGET_MIN}", said[0])
    said, value = _number(annotations, names.TARGET_BURST_CAPACITY)
    if said is not None and (value is None or (value < 0 and value != -1)):
        yield invalid(said[1], said[0])


def _number(annotations: Annotations, keys: tuple[str, ...]) -> tuple[tuple[str, str] | None, float | None]:
    """Key and text, and the number; None for what is not there or is no number."""
    found = annotation(annotations, keys)
    try:
        return found, number(found[1]) if found else None
    except ValueError:
        return found, None


def _times(annotations: Annotations) -> Iterator[FieldError]:
    for keys, lower, is_whole in (
        (names.SCALE_DOWN_DELAY, 0, True),
        (names.POD_RETENTION, 0, False),
        (names.WINDOW, WINDOW_MIN_NS, True),
    ):
        found = annotation(annotations, keys)
        if found is None:
            continue
        key, said = found
        try:
            ns = duration_ns(said)
        except ValueError:
            yield invalid(said, key)
            continue
        if not lower <= ns <= WINDOW_MAX_NS:
            yield out_of_bounds(said, duration_text(lower), duration_text(WINDOW_MAX_NS), key)
        elif is_whole and ns % NS_PER_S:
            yield generic(SECOND_PRECISION, key)


def _words(annotations: Annotations) -> Iterator[FieldError]:
    said_class = annotation(annotations, names.CLASS)
    kind = said_class[1] if said_class else names.KPA_CLASS
    metric = annotation(annotations, names.METRIC)
    if metric is not None:
        is_right = metric[1] in (names.CONCURRENCY, names.RPS) if kind == names.KPA_CLASS else metric[1] != ""
        if kind in (names.KPA_CLASS, names.HPA_CLASS) and not is_right:
            yield invalid(metric[1], metric[0])
    aggregation = annotation(annotations, names.AGGREGATION)
    known = ("", names.LINEAR, *names.WEIGHTED_EXPONENTIAL)
    if said_class and kind == names.KPA_CLASS and aggregation and aggregation[1] not in known:
        yield invalid(aggregation[1], aggregation[0])
    algorithm = annotations.get(names.ALGORITHM)
    if algorithm is not None and algorithm not in names.ALGORITHMS:
        yield invalid(algorithm, names.ALGORITHM, f"must be one of {', '.join(names.ALGORITHMS)}")


def concurrency_problems(value: int | None, context: Context, path: str) -> Iterator[FieldError]:
    """Requests that a pod may run at once (SC-064, SC-065)."""
    defaults = context.settings.defaults
    least, most = 0 if defaults.allow_container_concurrency_zero else 1, defaults.container_concurrency_max
    if value is not None and not least <= value <= most:
        yield out_of_bounds(value, least, most, path)


def reference_problems(reference: ObjectReference) -> Iterator[FieldError]:
    """A reference into the same namespace: version, kind and name, nothing else."""
    others = {
        "namespace": reference.namespace,
        "uid": reference.uid,
        "resourceVersion": reference.resource_version,
        "fieldPath": reference.field_path,
    }
    if wrong := [name for name, value in others.items() if value]:
        yield disallowed(*wrong)
    for name, value, said in (
        ("apiVersion", reference.api_version, qualified(reference.api_version)),
        (
            "kind",
            reference.kind,
            [] if re.fullmatch(r"[A-Za-z_]\w*", reference.kind, re.ASCII) else ["is no identifier"],
        ),
        ("name", reference.name, label_1123_problems(reference.name)),
    ):
        if not value:
            yield missing(name)
        elif said:
            yield invalid(", ".join(said), name)


def defaulted_pod_autoscaler(autoscaler: PodAutoscaler, context: Context) -> PodAutoscaler:
    """Class and metric are written down, so that a later change of the settings does not move it."""
    annotations = dict(autoscaler.metadata.annotations)
    kind = annotations.setdefault(names.CLASS[0], context.settings.autoscaler.pod_autoscaler_class)
    metric = {names.KPA_CLASS: names.CONCURRENCY, names.HPA_CLASS: names.CPU}.get(kind)
    if metric is not None:
        annotations.setdefault(names.METRIC[0], metric)
    return replace(autoscaler, metadata=replace(autoscaler.metadata, annotations=annotations))


def pod_autoscaler_problems(autoscaler: PodAutoscaler, context: Context) -> list[FieldError]:
    """All that is wrong with it, by field path."""
    if autoscaler.spec == PodAutoscalerSpec():
        return [missing("spec")]
    return [
        *under("metadata.annotations", annotation_problems(autoscaler.metadata.annotations, context)),
        *under("spec.scaleTargetRef", reference_problems(autoscaler.spec.scale_target_ref)),
        *concurrency_problems(autoscaler.spec.container_concurrency, context, "spec.containerConcurrency"),
    ]
