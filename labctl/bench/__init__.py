"""The bench file and the opening of its instruments."""
