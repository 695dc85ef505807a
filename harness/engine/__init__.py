"""One process's run: wiring, time line, sampling, live view; under Locust or without its command line."""
