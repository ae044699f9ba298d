"""cli: what a person types: `penstock up`, `deploy`, `list`, and the others."""
