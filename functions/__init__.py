"""The deployed functions, one folder each; none imports another."""
