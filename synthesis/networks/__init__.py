"""The networks of the generator and its judges."""
