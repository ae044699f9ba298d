"""Load tests: users, shapes, and the side-by-side bench."""
