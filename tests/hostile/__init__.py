"""What a hostile or broken sender sends: tables of requests, each with what is wanted of it, and how to send them.

A request that is refused carries ``MARK`` wherever it can carry a text, so that a search shows whether any stayed.
"""

MARK = "hostile"
