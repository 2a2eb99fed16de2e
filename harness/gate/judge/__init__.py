"""How each kind of metric is held against its limit."""
