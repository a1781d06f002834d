"""Data sets on a Hugging Face hub: published whole, read back, compared, fetched, and taken back."""

from dataset.hub.client import HubRepository
from dataset.hub.publish import Plan, Published, check_release, plan, publish

__all__ = ["HubRepository", "Plan", "Published", "check_release", "plan", "publish"]
