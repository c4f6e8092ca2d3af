"""What comes in and goes out over HTTP: a module for each of the routes."""
