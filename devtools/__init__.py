"""What tests and benchmarks share: where something was measured, and clusters and servers on this machine."""
