"""The part of the stand-in that holds questions about types."""
