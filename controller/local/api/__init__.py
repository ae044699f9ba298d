"""api: the Kubernetes API for one machine, as small as its users (our controllers, kubectl, kn) allow.

`server` listens and holds the token; `app` turns HTTP into verbs; `registry` does them on `store` (SQLite below, a
bounded history for watches in memory). What a kind looks like stands in `kinds`.

It answers as kube-apiserver does, but for these: `limit` of a list is ignored; a list at an exact past version has
expired; a JSON patch that replaces what is not there is refused (RFC 6902 4.3); a strict refusal of a patch shows the
patch, not the object; an apply that takes the last field out of a map leaves the map empty, not null; priorities,
tolerations and node ports are given to nobody; `events.k8s.io` is not there, `v1` Events are.
"""
