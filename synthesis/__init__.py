"""Pose-driven motion transfer: make the target do the source's motion."""
