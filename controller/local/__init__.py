"""local: everything on one machine, without Kubernetes: the embedded API server and the process node."""
