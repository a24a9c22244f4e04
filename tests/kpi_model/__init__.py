"""A slow, obvious model of three kinds of KPI, written from docs/reference/kpi.md and docs/reference/derived-state.md.

It imports nothing of kpis or lineage: it is what figures that are kept up to date are compared with.
"""
