"""`python -m squall`."""

from .cli import main

main()
