"""api: the Kubernetes API for one machine, as small as its users (our controllers, kubectl, kn) allow.

`server` listens and holds the token; `app` turns HTTP into verbs; `registry` does them on `store` (SQLite below, a
bounded history for watches in memory). What a kind looks like stands in `kinds`.
"""
