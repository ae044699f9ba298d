"""The objects: typed views of what the API server stores, with their defaults and rules."""
