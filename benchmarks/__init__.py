"""Side-by-side runs against peers, accuracy checks against closed forms, how cost grows. Printed, never asserted."""
