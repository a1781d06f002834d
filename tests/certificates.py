"""Makes the certificates that the tests sign with: good ones, and each kind that must be refused."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_PURPOSES = {"e-mail": ExtendedKeyUsageOID.EMAIL_PROTECTION, "server": ExtendedKeyUsageOID.SERVER_AUTH}


@dataclass(frozen=True)
class Issued:
    """PEM files: the chain (signer first), the signer's key, and the root alone."""

    chain: Path
    key: Path
    root: Path


def issue(
    folder: Path,
    name: str,
    kind: str = "es256",
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    purpose: str = "e-mail",
    self_signed: bool = False,
    password: bytes | None = None,
) -> Issued:
    """A root and a signer of that name."""
    root_key, key = ec.generate_private_key(ec.SECP256R1()), _key(kind)
    now = datetime.now(UTC)
    root_name, own = _name(f"Root of {name}"), _name(name)
    root = (
        _begin(
            root_name, root_name, root_key.public_key(), now - timedelta(days=30), now + timedelta(days=30)
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage("key_cert_sign", "crl_sign"), critical=True)
        .sign(root_key, hashes.SHA256())
    )
    issuer, issuer_key = (own, key) if self_signed else (root_name, root_key)
    leaf = (
        _begin(
            own,
            issuer,
            key.public_key(),
            since or now - timedelta(days=20),
            until or now + timedelta(days=20),
        )
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage("digital_signature"), critical=True)
        .add_extension(x509.ExtendedKeyUsage([_PURPOSES[purpose]]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False
        )
        .sign(issuer_key, hashes.SHA256())
    )
    stem = f"{name.replace(' ', '_')}_{kind}"
    chain, private, anchor = (folder / f"{stem}.{part}.pem" for part in ("chain", "key", "root"))
    pem = serialization.Encoding.PEM
    root_pem = root.public_bytes(pem)
    chain.write_bytes(leaf.public_bytes(pem) + (b"" if self_signed else root_pem))
    anchor.write_bytes(root_pem)
    lock = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    private.write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, lock))
    return Issued(chain, private, anchor)


def _key(kind: str) -> ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey:
    if kind == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    if kind == "ps256":
        return rsa.generate_private_key(65537, 2048)
    return ec.generate_private_key(ec.SECP384R1() if kind == "es384" else ec.SECP256R1())


def _name(common: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Tests"),
            x509.NameAttribute(NameOID.COMMON_NAME, common),
        ]
    )


def _begin(
    subject: x509.Name, issuer: x509.Name, key: object, since: datetime, until: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)  # type: ignore[arg-type]
        .serial_number(x509.random_serial_number())
        .not_valid_before(min(since, until - timedelta(days=1)))
        .not_valid_after(until)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)  # type: ignore[arg-type]
    )


def _usage(*wanted: str) -> x509.KeyUsage:
    names = (
        "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
        "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
    )  # fmt: skip
    return x509.KeyUsage(**{name: name in wanted for name in names})
