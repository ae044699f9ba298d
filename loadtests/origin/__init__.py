"""Origins: the upstreams that load tests stand proxies in front of."""
