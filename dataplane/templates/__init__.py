"""Templates of the request log: Go's text/template for one record at a time."""
