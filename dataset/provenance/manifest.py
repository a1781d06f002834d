"""Reading C2PA manifests: is the file unaltered, and who says so? Two questions with two answers."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dataset.errors import ProvenanceError
from dataset.provenance.identity import DEVELOPMENT
from dataset.provenance.signing import ASSERTION, OFFLINE

#: PEM file with the certificates of those whom the user trusts.
TRUST_ANCHORS = "DANCEPROOF_TRUST_ANCHORS"

INTEGRITY = ("valid", "altered", "unreadable", "none")
AUTHENTICITY = ("trusted", "development", "unknown", "none")

#: Digital source types (IPTC) of what was made by a trained model, in whole or in part.
_MADE = frozenset(
    (
        "trainedAlgorithmicMedia",
        "compositeWithTrainedAlgorithmicMedia",
        "compositeSynthetic",
        "algorithmicMedia",
    )
)
#: What the validator finds wrong with the signer, not with the file.
_ABOUT_SIGNER = ("signingCredential.", "timeStamp.", "claimSignature.outsideValidity")
#: Both must have been found right for a file to count as unaltered.
_SIGNATURE = "claimSignature.validated"
_CONTENT = ("assertion.bmffHash.match", "assertion.dataHash.match", "assertion.boxesHash.match")


@dataclass(frozen=True)
class ManifestState:
    """What a file's C2PA manifest says, and what that is worth.

    Attributes:
        integrity: "valid" (file and manifest are as they were signed), "altered", "unreadable" (there is a
            manifest, or a place for one, that cannot be read) or "none" (no manifest).
        authenticity: "trusted" (the signer's certificate leads to one that the user trusts), "development" (the
            certificate of this package that anyone can make: proves nothing), "unknown" or "none".
        signer: common name in the certificate; whether it is true is what `authenticity` tells.
        issuer: organisation in the certificate.
        problems: what is wrong with the file or the manifest, in the validator's words.
        signer_problems: what is wrong with the certificate, such as that it ran out.
        generator: name and version of the program that claims to have made the file.
        source_type: IPTC digital source type, such as "trainedAlgorithmicMedia"; empty where none is told.
        statement: what this package's own assertion says, see `dataset.provenance.signing.Statement`; else empty.
    """

    integrity: str
    authenticity: str = "none"
    signer: str = ""
    issuer: str = ""
    problems: tuple[str, ...] = ()
    signer_problems: tuple[str, ...] = ()
    generator: str = ""
    source_type: str = ""
    statement: dict[str, Any] = field(default_factory=dict)

    @property
    def says_synthetic(self) -> bool:
        """Whether the manifest says that the file was made by a trained model, in whole or in part."""
        return self.source_type in _MADE

    def lines(self) -> list[str]:
        """One line for integrity and, where there is a manifest, one for authenticity and one for what it says."""
        if self.integrity == "none":
            return ["no C2PA manifest"]
        told = {
            "valid": "valid: unaltered since it was signed",
            "altered": "ALTERED since it was signed",
            "unreadable": "there is a manifest, or a place for one, that cannot be read",
        }[self.integrity]
        why = f" ({'; '.join(self.problems)})" if self.problems else ""
        lines = [f"{told}{why}"]
        if self.integrity == "unreadable":
            return lines
        who = f"{self.signer or 'nobody named'}, issued by {self.issuer or 'nobody named'}"
        worth = {
            "trusted": "a signer you trust",
            "development": "a development certificate, which proves nothing about who signed",
            "unknown": "nobody you have said you trust",
            "none": "not signed",
        }[self.authenticity]
        doubts = f" ({'; '.join(self.signer_problems)})" if self.signer_problems else ""
        lines.append(f"signed by {who}: {worth}{doubts}")
        lines.append(
            f"says: {self.source_type or 'nothing on how it came about'}, by {self.generator or 'no program'}"
        )
        return lines


def read_manifest(path: str | Path, *, anchors: Path | None = None) -> ManifestState:
    """Read and validate the C2PA manifest of a file. Nothing is fetched; memory does not grow with the file.

    Args:
        path: any file.
        anchors: certificates (PEM) of those to trust; by default the file that ``DANCEPROOF_TRUST_ANCHORS`` names,
            and nobody where that is not set.

    Raises:
        OSError: the file cannot be opened.
        ProvenanceError: the file of trusted certificates cannot be read.
    """
    import c2pa

    settings: dict[str, Any] = {"verify": OFFLINE | {"verify_trust": True}}
    if trusted := _anchors(anchors):
        settings["trust"] = {"trust_anchors": trusted}
    with open(path, "rb") as file:
        try:
            with c2pa.Context.from_dict(settings) as context:
                # The kind of file is found from its bytes: suffixes lie.
                reader = c2pa.Reader.try_create(None, file, context=context)
                if reader is None:
                    return ManifestState("none")
                with reader:
                    store = json.loads(reader.json())
        except c2pa.C2paError.NotSupported:
            return ManifestState("none", problems=("this kind of file has no place for a manifest",))
        except c2pa.C2paError as error:
            return ManifestState("unreadable", problems=(" ".join(str(error).split()),))
    return _state(store)


def _anchors(path: Path | None) -> str:
    named = os.environ.get(TRUST_ANCHORS, "")
    path = path or (Path(named).expanduser() if named else None)
    if path is None:
        return ""
    try:
        text = path.read_text("ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise ProvenanceError(f"the trusted certificates cannot be read ({error})", path=path) from error
    if "BEGIN CERTIFICATE" not in text:
        raise ProvenanceError("holds no certificate in PEM", path=path, hint=f"see {TRUST_ANCHORS}")
    return text


def _state(store: dict[str, Any]) -> ManifestState:
    manifest = store["manifests"][store["active_manifest"]]
    found = store.get("validation_results", {}).get("activeManifest", {})
    good = {entry["code"] for entry in found.get("success", [])}
    bad = {entry["code"]: entry.get("explanation", entry["code"]) for entry in found.get("failure", [])}
    about_signer = {code: text for code, text in bad.items() if code.startswith(_ABOUT_SIGNER)}
    problems = tuple(f"{code}: {text}" for code, text in sorted(bad.items()) if code not in about_signer)
    whole = _SIGNATURE in good and any(code in good for code in _CONTENT)
    if not whole and not problems:
        problems = ("the signature or the hash of the content could not be checked",)
    signature = manifest.get("signature_info") or {}
    signer = signature.get("common_name", "")
    if not signature:
        authenticity = "none"
    elif signer == DEVELOPMENT:
        authenticity = "development"
    elif "signingCredential.trusted" in good and not about_signer:
        authenticity = "trusted"
    else:
        authenticity = "unknown"
    assertions = {entry["label"]: entry.get("data", {}) for entry in manifest.get("assertions", [])}
    return ManifestState(
        integrity="altered" if problems else "valid",
        authenticity=authenticity,
        signer=signer,
        issuer=signature.get("issuer", ""),
        problems=problems,
        # That nobody vouches for it is what "unknown" says already.
        signer_problems=tuple(
            t for c, t in sorted(about_signer.items()) if c != "signingCredential.untrusted"
        ),
        generator=_generator(manifest),
        source_type=_source_type(assertions),
        statement=dict(assertions.get(ASSERTION, {})),
    )


def _generator(manifest: dict[str, Any]) -> str:
    named = (manifest.get("claim_generator_info") or [{}])[0]
    parts = (named.get("name", ""), named.get("version", ""))
    return " ".join(part for part in parts if part) or str(manifest.get("claim_generator", ""))


def _source_type(assertions: dict[str, Any]) -> str:
    for label, data in assertions.items():
        if label.startswith("c2pa.actions"):
            for action in data.get("actions", []):
                if kind := action.get("digitalSourceType", ""):
                    return str(kind).rstrip("/").rsplit("/", 1)[-1]
    return ""
