"""Users: the kinds of callers that a load is made of."""
