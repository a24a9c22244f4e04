"""Event logs of other tools: read as streams of events to send, and written from events that count."""
