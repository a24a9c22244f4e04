"""A small firm for tests of derived state: its processes, its week, and stories told as events at times."""
