"""Cases × plan × connection → Rounds and Shards: what a device measures, and whether it may be believed."""
