"""Dimensions: by what figures, and the signals made of them, are told apart."""

from __future__ import annotations

from enum import StrEnum


class Dimension(StrEnum):
    """By what a figure may be split; closed, so that a label never holds an id of a record.

    ``owner``: the team that has to see to it, as the process declares it. ``ageing``: of what stands, the class of its
    age (kpis/ageing.py). ``cutoff``: of what stands, the next cut-off that it misses unless it is done (kpis/cycle.py).
    """

    PROCESS = "process"
    FLOW = "flow"
    SYSTEM = "system"
    INSTANCE = "instance"
    REGION = "region"
    LEGAL_ENTITY = "legal_entity"
    PRACTICE = "practice"
    CUSTOMER = "customer"
    CATEGORY = "category"  # of errors; of attempts only
    OWNER = "owner"
    AGEING = "ageing"
    CUTOFF = "cutoff"
