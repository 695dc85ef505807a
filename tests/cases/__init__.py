"""A chat server that is wrong in one way at a time and counts how often; and what Squall must say of each way."""
