"""Signing what was synthesised: a C2PA manifest inside the file, written with the file or not at all.

The manifest says that the video is *trained algorithmic media* (IPTC digital source type), which tool and model made
it, from whose motion and on the ground of what consent (C2PA specification 2.x; c2pa-python). No time stamp server
is asked, and nothing else is fetched.
"""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from dataset.errors import ProvenanceError
from dataset.provenance import VERSION
from dataset.provenance.identity import Identity

#: Label of the assertion that holds a `Statement`.
ASSERTION = "danceproof.synthesis"
SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"

#: Kinds of files that are written with a manifest.
MEDIA_TYPES = {".mp4": "video/mp4", ".mov": "video/quicktime"}

#: Settings of the library, here and in `dataset.provenance.manifest`.
OFFLINE = {"remote_manifest_fetch": False, "ocsp_fetch": False}
_SETTINGS: dict[str, Any] = {
    "builder": {"thumbnail": {"enabled": False}},
    # Media data is hashed in pieces of 8 MB (a Merkle tree), not in buffers of half a gigabyte.
    "core": {"merkle_tree_chunk_size_in_kb": 8192, "merkle_tree_max_proofs": 0},
    "verify": OFFLINE | {"verify_after_sign": True, "verify_trust": False},
}


@dataclass(frozen=True)
class Statement:
    """What the manifest says about how a video was made. Hashes are SHA-256 in hexadecimal.

    Attributes:
        tool: the command, such as "synthesize transfer".
        kind: "self" (self-re-enactment) or "cross" (another video's motion).
        model_sha256: of the generator's weights.
        motion_sha256: of the video whose motion it is.
        consent: "person", "mannequin" or "research-only".
        consent_sha256: of the consent record, empty where there is none.
        subject: pseudonym of who is seen, empty where the file may not tell it.
        picture: what is to be seen, such as "side by side"; empty for the plain video.
    """

    tool: str
    kind: str
    model_sha256: str
    motion_sha256: str
    consent: str
    consent_sha256: str = ""
    subject: str = ""
    picture: str = ""

    @property
    def research_only(self) -> bool:
        """Whether the video may not be published."""
        return self.consent == "research-only"

    def to_dict(self) -> dict[str, Any]:
        """What stands in the assertion; what is empty is left out."""
        facts = {name: value for name, value in vars(self).items() if value}
        return facts | {"research_only": self.research_only}


def require_signable(path: str | Path) -> str:
    """The media type of a file that can carry a manifest, by its suffix.

    Raises:
        ProvenanceError: this kind of file cannot.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in MEDIA_TYPES:
        told = f"a {suffix} file" if suffix else "a file without a suffix"
        raise ProvenanceError(
            f"{told} cannot carry a C2PA manifest, and no video is synthesised without one",
            path=path,
            hint="write .mp4 or .mov",
        )
    return MEDIA_TYPES[suffix]


@contextmanager
def signed_video(path: str | Path, identity: Identity, statement: Statement) -> Iterator[Path]:
    """A path to write a video to; when the block ends well it is signed and appears under its name.

    Whatever fails or is killed on the way, no unsigned or half-written video is left under the name. What a killed
    process leaves behind is a hidden folder beside it, and the next one to write the same file removes that.

    Example:
        >>> with signed_video("fake.mp4", find_identity(), statement) as unsigned:  # doctest: +SKIP
        ...     shutil.copy("made.mp4", unsigned)

    Args:
        path: .mp4 or .mov.
        identity: who signs.
        statement: what is said.

    Raises:
        ProvenanceError: the file cannot carry a manifest, or signing failed.
    """
    target = Path(path)
    media_type = require_signable(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    _sweep(target)
    workshop = target.with_name(f"{_prefix(target)}{os.getpid()}.part")
    workshop.mkdir(mode=0o700)
    try:
        unsigned, signed = (workshop / f"{name}{target.suffix.lower()}" for name in ("unsigned", "signed"))
        yield unsigned
        try:
            with open(unsigned, "rb") as source, open(signed, "w+b") as out:
                sign_stream(source, out, media_type, _manifest(target.name, media_type, statement), identity)
                out.flush()
                os.fsync(out.fileno())
        except ProvenanceError as error:
            raise ProvenanceError(f"cannot be signed ({error.problem})", path=target) from error
        os.replace(signed, target)
    finally:
        shutil.rmtree(workshop, ignore_errors=True)


def sign_stream(
    source: BinaryIO, out: BinaryIO, media_type: str, manifest: dict[str, Any], identity: Identity
) -> None:
    """Copy a file from one stream to another with a signed manifest in it.

    Raises:
        ProvenanceError: the library refuses certificate, file or manifest, or cannot write.
    """
    import c2pa

    try:
        info = c2pa.C2paSignerInfo(
            alg=identity.algorithm.encode(),
            sign_cert=identity.chain,
            private_key=identity.key,
            ta_url=None,  # no time stamp server: it would have to be asked over the network
        )
        with (
            c2pa.Signer.from_info(info) as signer,
            c2pa.Context.from_dict(_SETTINGS) as context,
            c2pa.Builder(_described(manifest), context=context) as builder,
        ):
            builder.sign(signer, media_type, source, out)
    except c2pa.C2paError as error:
        raise ProvenanceError(f"C2PA: {error}") from error


def _manifest(title: str, media_type: str, statement: Statement) -> dict[str, Any]:
    return {
        "title": title,
        "format": media_type,
        "assertions": [{"label": ASSERTION, "data": statement.to_dict()}],
        "description": f"{statement.tool}: a generator trained on recordings of one person made this video",
    }


def _described(manifest: dict[str, Any]) -> dict[str, Any]:
    """The manifest with what all of ours say: who claims it, and that it was created by a trained algorithm."""
    agent = {"name": "danceproof", "version": VERSION}
    action: dict[str, Any] = {
        "action": "c2pa.created",
        "digitalSourceType": SOURCE_TYPE,
        "softwareAgent": agent,
    }
    rest = dict(manifest)
    if description := rest.pop("description", ""):
        action["description"] = description
    created = {"label": "c2pa.actions.v2", "data": {"actions": [action]}}
    return rest | {"claim_generator_info": [agent], "assertions": [created, *rest.get("assertions", [])]}


def _prefix(target: Path) -> str:
    # The machine's name stands in it, because the process number means nothing on another one.
    return f".{target.name}.{socket.gethostname()}."


def _sweep(target: Path) -> None:
    """Remove the workshops that killed processes of this machine left for the same file."""
    prefix = _prefix(target)
    for left in target.parent.iterdir():
        number = left.name.removeprefix(prefix).removesuffix(".part")
        if (
            left.name.startswith(prefix)
            and left.suffix == ".part"
            and number.isdecimal()
            and not _alive(int(number))
        ):
            shutil.rmtree(left, ignore_errors=True)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return process != os.getpid()
