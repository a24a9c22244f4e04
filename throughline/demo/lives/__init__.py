"""How each kind of work goes through the firm: what its systems do, and the truth about it, written side by side."""
