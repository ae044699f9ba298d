"""The settings: what the config maps of the system namespace say, one file per map."""
