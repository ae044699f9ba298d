"""Upheaval: everything on one machine under load, while parts of it come, go, and are killed."""
