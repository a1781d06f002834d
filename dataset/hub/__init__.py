"""Data sets on a Hugging Face hub: published whole, read back, compared, fetched, and taken back."""

from dataset.hub.client import HubRepository
from dataset.hub.diff import Difference, diff, load
from dataset.hub.fetch import Fetched, fetch
from dataset.hub.publish import Plan, Published, check_release, plan, publish

__all__ = [
    "Difference",
    "Fetched",
    "HubRepository",
    "Plan",
    "Published",
    "check_release",
    "diff",
    "fetch",
    "load",
    "plan",
    "publish",
]
