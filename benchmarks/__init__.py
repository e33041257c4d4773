"""What the gateway adds to a request: `python -m benchmarks`, or `make bench`. README.md tells the method."""
