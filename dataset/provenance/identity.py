"""Who signs: the user's certificate, or a development one that says of itself that it proves nothing.

The C2PA specification (section 14, "Trust model") asks of a signer's certificate: X.509 v3, not self-signed, the key
usage *digital signature*, an extended key usage for documents or e-mail, and an accepted algorithm. The chain file
holds the signer's certificate first, then those of the issuers up to the root.

    DANCEPROOF_CERTIFICATE             chain, PEM
    DANCEPROOF_PRIVATE_KEY             the signer's key, PEM
    DANCEPROOF_PRIVATE_KEY_PASSWORD    where the key is encrypted

Without these a development certificate is made once and kept in the user's config folder. Nothing is fetched.
"""

from __future__ import annotations

import os
import shutil
import struct
import tempfile
import zlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from dataset.errors import ProvenanceError

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

CERTIFICATE = "DANCEPROOF_CERTIFICATE"
PRIVATE_KEY = "DANCEPROOF_PRIVATE_KEY"
PASSWORD = "DANCEPROOF_PRIVATE_KEY_PASSWORD"

#: Common name of the development certificate.
DEVELOPMENT = "danceproof DEVELOPMENT – not a statement of identity"
_YEARS = 10
_HINT = f"give --certificate and --private-key, or set {CERTIFICATE} and {PRIVATE_KEY}"


@dataclass(frozen=True)
class Identity:
    """A certificate chain and its key, ready to sign.

    Attributes:
        name: common name of the signer.
        chain: PEM, the signer's certificate first.
        key: PEM (PKCS #8), not encrypted.
        algorithm: as C2PA calls it, such as "es256".
        development: whether this is the certificate that proves nothing.
    """

    name: str
    chain: bytes
    key: bytes = field(repr=False)
    algorithm: str
    development: bool


def find_identity(certificate: Path | None = None, private_key: Path | None = None) -> Identity:
    """The identity to sign with: what is given, else what the environment names, else the development one.

    It has signed something when it is returned, so that a certificate that cannot sign is told before the work.

    Args:
        certificate: chain of certificates, PEM.
        private_key: the key of the first of them, PEM.

    Raises:
        ProvenanceError: one of the two is missing, unreadable, expired, of another pair, or not meant for signing.
    """
    certificate = certificate or _from_environment(CERTIFICATE)
    private_key = private_key or _from_environment(PRIVATE_KEY)
    if (certificate is None) != (private_key is None):
        missing = "private key" if private_key is None else "certificate"
        raise ProvenanceError(f"the {missing} is missing", path=certificate or private_key, hint=_HINT)
    if certificate is not None and private_key is not None:
        identity = load_identity(certificate, private_key)
        try_out(identity, certificate)
        return identity
    return development_identity()


def load_identity(certificate: Path, private_key: Path) -> Identity:
    """Read a chain and its key.

    Raises:
        ProvenanceError: see `find_identity`.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization

    chain = _read(certificate)
    try:
        certificates = x509.load_pem_x509_certificates(chain)
    except ValueError as error:
        raise ProvenanceError("holds no certificate in PEM", path=certificate, hint=_HINT) from error
    leaf = certificates[0]
    password = os.environ.get(PASSWORD)
    try:
        key = serialization.load_pem_private_key(
            _read(private_key), None if password is None else password.encode()
        )
    except (ValueError, TypeError) as error:
        raise ProvenanceError(
            "the private key cannot be read", path=private_key, hint=f"where it is encrypted, set {PASSWORD}"
        ) from error
    if _public(key.public_key()) != _public(leaf.public_key()):
        raise ProvenanceError(
            "this is not the key of the first certificate", path=private_key, hint=f"see {certificate}"
        )
    now = datetime.now(UTC)
    if now > leaf.not_valid_after_utc:
        raise ProvenanceError(
            f"the certificate ran out on {leaf.not_valid_after_utc:%Y-%m-%d}", path=certificate
        )
    if now < leaf.not_valid_before_utc:
        raise ProvenanceError(
            f"the certificate is not valid before {leaf.not_valid_before_utc:%Y-%m-%d}", path=certificate
        )
    if leaf.issuer == leaf.subject:
        raise ProvenanceError(
            "the certificate is self-signed, which C2PA does not accept",
            path=certificate,
            hint="have one issued, or leave it out: a development certificate is made then",
        )
    name = _common_name(leaf)
    return Identity(name, chain, _plain(key), _algorithm(key, private_key), name == DEVELOPMENT)


def development_identity(folder: Path | None = None) -> Identity:
    """The development certificate, made when there is none or it has run out.

    Args:
        folder: where it is kept; by default ``danceproof/development`` in the user's config folder.

    Raises:
        ProvenanceError: the folder cannot be written, or holds something else.
    """
    folder = folder or config_folder() / "development"
    chain, key = folder / "chain.pem", folder / "key.pem"
    try:
        if not chain.exists() or _nearly_over(chain):
            _make(folder)
    except OSError as error:
        raise ProvenanceError(
            f"the development certificate cannot be kept here ({error.strerror})", path=folder, hint=_HINT
        ) from error
    return load_identity(chain, key)


def config_folder() -> Path:
    """Where the user's settings are kept (XDG base directories)."""
    home = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    return Path(home).expanduser() / "danceproof"


def try_out(identity: Identity, certificate: Path | None = None) -> None:
    """Sign a picture of one pixel and throw it away.

    Raises:
        ProvenanceError: the library does not accept the certificate.
    """
    import io

    from dataset.provenance.signing import sign_stream

    try:
        sign_stream(io.BytesIO(_pixel()), io.BytesIO(), "image/png", {"title": "trial"}, identity)
    except ProvenanceError as error:
        raise ProvenanceError(
            f"the certificate cannot sign ({error.problem})",
            path=certificate,
            hint="C2PA asks for key usage digital signature and an extended key usage such as e-mail protection",
        ) from error


def _from_environment(name: str) -> Path | None:
    value = os.environ.get(name, "")
    return Path(value).expanduser() if value else None


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ProvenanceError(f"cannot be read ({error.strerror})", path=path, hint=_HINT) from error


def _nearly_over(chain: Path) -> bool:
    from cryptography import x509

    try:
        leaf = x509.load_pem_x509_certificates(chain.read_bytes())[0]
    except ValueError:
        return False  # somebody else's file: `load_identity` says so, and nothing is overwritten
    return datetime.now(UTC) > leaf.not_valid_after_utc - timedelta(days=1)


def _make(folder: Path) -> None:
    """Make chain and key beside the folder and put both in place at once, also where two processes do so."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=".development.", dir=folder.parent))  # readable by the user alone
    try:
        chain, key = _development_chain()
        (fresh / "chain.pem").write_bytes(chain)
        (fresh / "key.pem").write_bytes(key)
        (fresh / "key.pem").chmod(0o600)
        if folder.exists() and _nearly_over(folder / "chain.pem"):
            folder.rename(fresh / "over")
        try:
            fresh.rename(folder)
        except OSError:
            if not (folder / "chain.pem").exists():
                raise
            # Another process was first: its certificate is as good as this one.
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    shutil.rmtree(folder / "over", ignore_errors=True)


def _development_chain() -> tuple[bytes, bytes]:
    """Root and signer (ES256); the root's key is thrown away, so that nothing else can be issued with it."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID

    root_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    root_name, name = _name(f"{DEVELOPMENT} (root)"), _name(DEVELOPMENT)
    root = (
        _certificate(root_name, root_name, root_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage("key_cert_sign", "crl_sign"), critical=True)
        .sign(root_key, hashes.SHA256())
    )
    leaf = (
        _certificate(name, root_name, key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage("digital_signature"), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()), critical=False
        )
        .sign(root_key, hashes.SHA256())
    )
    chain = b"".join(one.public_bytes(serialization.Encoding.PEM) for one in (leaf, root))
    return chain, _plain(key)


def _name(common: str) -> x509.Name:
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "danceproof development, nobody in particular"),
            x509.NameAttribute(NameOID.COMMON_NAME, common),
        ]
    )


def _certificate(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    from cryptography import x509

    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        # A day back, for readers whose clocks are behind.
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=365 * _YEARS))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _usage(*wanted: str) -> x509.KeyUsage:
    from cryptography import x509

    names = (
        "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
        "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
    )  # fmt: skip
    return x509.KeyUsage(**{name: name in wanted for name in names})


def _public(key: object) -> bytes:
    from cryptography.hazmat.primitives import serialization

    encoded: bytes = key.public_bytes(  # type: ignore[attr-defined]
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return encoded


def _plain(key: PrivateKeyTypes) -> bytes:
    from cryptography.hazmat.primitives import serialization

    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _algorithm(key: PrivateKeyTypes, path: Path) -> str:
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    curves = {"secp256r1": "es256", "secp384r1": "es384", "secp521r1": "es512"}
    if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name in curves:
        return curves[key.curve.name]
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return "ed25519"
    if isinstance(key, rsa.RSAPrivateKey):
        return "ps256"
    raise ProvenanceError(
        "C2PA has no algorithm for this kind of key",
        path=path,
        hint="use P-256, P-384, P-521, Ed25519 or RSA",
    )


def _common_name(certificate: x509.Certificate) -> str:
    from cryptography.x509.oid import NameOID

    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[0].value) if names else certificate.subject.rfc4514_string()


def _pixel() -> bytes:
    """A PNG of one grey pixel (ISO/IEC 15948)."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0\x80"))
        + chunk(b"IEND", b"")
    )
