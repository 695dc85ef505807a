"""What terminal and page show of the scenarios of a mixed run side by side."""

FIGURES = (
    ("ready", "ready", "due to open, to being in every room"),
    ("response", "response", "due to answer"),
    ("delivery", "delivery", "due to arrival here"),
    ("transit", "transit", "sent to arrival here"),
)
"""Figures: name, label, meaning."""
COUNTS = (
    ("sessions", "sessions"),
    ("sent", "messages sent"),
    ("deliveries", "deliveries"),
    ("requests", "HTTP requests"),
    ("frames", "frames sent"),
    ("polls_empty", "empty polls"),
)
"""Counts: name, label."""
