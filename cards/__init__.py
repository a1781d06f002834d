"""The texts that travel with data and models."""
