"""Everything that touches a live endpoint: plan, transport, chaos, observation, recording."""
