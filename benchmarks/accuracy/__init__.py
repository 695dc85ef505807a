"""Whether what Squall says is true: against closed forms, and while its own process is not up to it."""
