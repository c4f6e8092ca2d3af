"""What a package holds in place of something large that others import and do not use."""
