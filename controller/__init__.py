"""The decisions: what should run, who may be called, and how many.

`api` holds the objects with their defaults and validation, `config` the settings in ConfigMaps, `autoscaler`
decides how many pods a revision has. Every decision is a pure function of what was observed.
"""
