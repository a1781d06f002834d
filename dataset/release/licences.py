"""Licences that a release may carry, as the hub and people name them."""

from __future__ import annotations

#: SPDX identifier of a Creative Commons licence → the hub's name, the name, its place, whether commercial use is free.
LICENCES = {
    "CC0-1.0": ("cc0-1.0", "Zero 1.0 Universal", "publicdomain/zero/1.0", True),
    "CC-BY-4.0": ("cc-by-4.0", "Attribution 4.0 International", "licenses/by/4.0", True),
    "CC-BY-SA-4.0": ("cc-by-sa-4.0", "Attribution-ShareAlike 4.0 International", "licenses/by-sa/4.0", True),
    "CC-BY-ND-4.0": ("cc-by-nd-4.0", "Attribution-NoDerivatives 4.0 International", "licenses/by-nd/4.0", True),
    "CC-BY-NC-4.0": ("cc-by-nc-4.0", "Attribution-NonCommercial 4.0 International", "licenses/by-nc/4.0", False),
    "CC-BY-NC-SA-4.0": (
        "cc-by-nc-sa-4.0", "Attribution-NonCommercial-ShareAlike 4.0 International", "licenses/by-nc-sa/4.0", False,
    ),
    "CC-BY-NC-ND-4.0": (
        "cc-by-nc-nd-4.0", "Attribution-NonCommercial-NoDerivatives 4.0 International", "licenses/by-nc-nd/4.0", False,
    ),
}  # fmt: skip


def licence_of(spdx: str) -> tuple[str, str, str, bool]:
    """The hub's name of a licence, its full name, its address, and whether it allows commercial use."""
    if spdx not in LICENCES:
        return "other", spdx, f"https://spdx.org/licenses/{spdx}.html", True
    hub, name, place, commerce = LICENCES[spdx]
    return hub, f"Creative Commons {name}", f"https://creativecommons.org/{place}/legalcode", commerce


def allows_commerce(spdx: str) -> bool:
    """Whether everybody may use what is under this licence for business; of one that is not known, yes."""
    return licence_of(spdx)[3]
