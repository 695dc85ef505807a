"""In which order the members of a room heard its messages: what the contract's `order` promises (decision 12).

    sender   a member hears the messages of one sender in the order of their numbers (`sequences.py`)
    room     any two members hear any two messages in the same order (`room.py`)
    causal   nobody hears an answer before what it answers (`causes.py`)

The last two include the first. Each costs 4 to 20 ns per delivery; what takes longer is done only for the few messages
that a cheap necessary condition leaves over.
"""

from .causes import Readings, late_of_causes
from .room import late_of_room
from .sequences import NOTHING, Disorder, Heard, Inversion, late_of_sender

__all__ = [
    "NOTHING",
    "Disorder",
    "Heard",
    "Inversion",
    "Readings",
    "late_of_causes",
    "late_of_room",
    "late_of_sender",
]
