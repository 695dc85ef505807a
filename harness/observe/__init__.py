"""What the endpoint believes about its connections."""
