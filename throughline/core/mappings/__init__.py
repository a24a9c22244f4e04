"""Mappings: from what a system sends in its own words to canonical events, as a firm writes them in YAML.

Pure: doors hand in what they decoded (plain values) and make events of the drafts that come back.
"""
