"""controller: the decisions. Reads and writes Kubernetes objects; never touches a request."""
