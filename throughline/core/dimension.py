"""Dimensions: by what figures, and the signals made of them, are told apart."""

from __future__ import annotations

from enum import StrEnum


class Dimension(StrEnum):
    """By what a figure may be split; closed, so that a label never holds an id of a record."""

    PROCESS = "process"
    FLOW = "flow"
    SYSTEM = "system"
    INSTANCE = "instance"
    REGION = "region"
    LEGAL_ENTITY = "legal_entity"
    PRACTICE = "practice"
    CUSTOMER = "customer"
    CATEGORY = "category"  # of errors; of attempts only
