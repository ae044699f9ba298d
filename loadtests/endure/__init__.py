"""Endurance: long loads that prove that nothing is lost, doubled or leaked."""
