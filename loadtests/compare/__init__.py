"""Side-by-side bench: the sidecar beside its peers in one run."""
