"""The crash matrix: kills and breaks every operation at each of its boundaries, then looks from outside at what is left."""
