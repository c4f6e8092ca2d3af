"""What `python -m infra.package` builds a deployment from."""
