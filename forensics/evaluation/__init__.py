"""Evaluation that cannot flatter: protocols, leakage checks, figures with intervals, and a report of them."""
