"""The decisions: what should run, who may be called, and how many.

`api` holds the objects with their defaults and validation, `config` the settings in ConfigMaps, `observe` what the
API server says. `serving`, `autoscaler` and `ingress` decide, by pure functions of what was observed, and `assembly`
wires them together. `local` is all of it on one machine, with an API server and a node of its own; `cli` is `penstock`.
"""
