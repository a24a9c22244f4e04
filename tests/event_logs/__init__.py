"""Event logs for tests, written here by hand: nothing is shared with the code that reads or writes them."""
