"""A fictional firm whose systems send real traffic, and whose own record of what happened checks what is reported."""
