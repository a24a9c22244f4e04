"""A slow, obvious model of docs/reference/identity.md, with the golden cases' reader and the makers of small worlds.

It imports nothing of lineage: it is what lineage is compared with.
"""
