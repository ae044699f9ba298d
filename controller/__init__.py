"""The decisions: what the objects in Kubernetes should lead to.

`api` holds the objects, their defaults and their rules; `config` the settings; every other folder reads objects,
decides in pure functions, and applies. The planes meet only in `dataplane.contract` and `dataplane.kube`.
"""
