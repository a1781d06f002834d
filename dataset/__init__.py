"""What was filmed, by whom, what can be seen in it, and what was made of it."""
