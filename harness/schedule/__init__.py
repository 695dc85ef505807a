"""Pure time: when messages are due and sessions open, who is in which room, and who plays what."""
