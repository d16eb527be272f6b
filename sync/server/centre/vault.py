"""Secrets at rest: sealed under a key in a file outside the database.

What people say of themselves is bound to its place besides (``seal_at``): table, column and row are signed along, so
that a value put into another row opens nowhere. Short answers are padded, so that their length tells nothing.

The file ``centre.key`` (32 bytes, mode 0600) opens root seeds, signing seeds, code keys and PIN verifiers. **A copy of
the database without it is worth little, and a database whose key is lost is worth nothing**: no pass can be signed, no
gate told anything it would believe, and every gate must be enrolled anew with a new root key. Keep a copy of the file
apart from the database's backup.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from contextlib import suppress
from pathlib import Path

from nacl.bindings import (
    crypto_aead_xchacha20poly1305_ietf_decrypt,
    crypto_aead_xchacha20poly1305_ietf_encrypt,
    crypto_aead_xchacha20poly1305_ietf_NPUBBYTES,
)
from nacl.exceptions import CryptoError
from nacl.secret import SecretBox

KEY_FILE = "centre.key"
_NONCE = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
_END = b"\x80"  # ISO/IEC 7816-4: padding begins with this byte, zeros follow


class VaultError(Exception):
    """The key file is missing, unreadable or not the one the database was sealed with. Trying again will not help."""


class Vault:
    """Seals and opens secrets of one centre. Thread-safe."""

    def __init__(self, key: bytes):
        self._key = key
        self._box = SecretBox(key)
        self._bound_key = hmac.new(key, b"bound-to-its-place", hashlib.sha256).digest()

    def seal(self, secret: bytes) -> bytes:
        return bytes(self._box.encrypt(secret))

    def unseal(self, sealed: bytes) -> bytes:
        """Raises VaultError when another key sealed it, or it was changed."""
        try:
            return self._box.decrypt(sealed)
        except (CryptoError, ValueError) as err:
            raise VaultError(f"{KEY_FILE} is not the key this database was sealed with") from err

    def seal_at(self, place: str, secret: bytes, least: int = 0) -> bytes:
        """Seal what opens at this place alone (XChaCha20-Poly1305, the place as its associated data). ``least``: padded
        to that many bytes, and longer values to twice, four times … as many; 0: as long as it is."""
        nonce = os.urandom(_NONCE)
        padded = _padded(secret, least)
        return nonce + crypto_aead_xchacha20poly1305_ietf_encrypt(padded, place.encode(), nonce, self._bound_key)

    def unseal_at(self, place: str, sealed: bytes) -> bytes:
        """Raises VaultError when another key sealed it, or it was changed or moved from another place."""
        try:
            padded = crypto_aead_xchacha20poly1305_ietf_decrypt(
                sealed[_NONCE:], place.encode(), sealed[:_NONCE], self._bound_key
            )
        except (CryptoError, ValueError, TypeError) as err:
            raise VaultError(f"what stands at {place} was not sealed there with {KEY_FILE}") from err
        return padded.rstrip(b"\0")[:-1]

    def seal_text(self, words: str) -> bytes:
        """Empty for an empty text."""
        return self.seal(words.encode()) if words else b""

    def unseal_text(self, sealed: bytes) -> str:
        """Raises VaultError."""
        return self.unseal(sealed).decode() if sealed else ""

    def mark(self, purpose: str, words: str) -> bytes:
        """A keyed hash, 16 bytes: finds a sealed text without opening it, and says nothing without the key. Empty for
        an empty text."""
        if not words:
            return b""
        key = hmac.new(self._key, b"mark/" + purpose.encode(), hashlib.sha256).digest()
        return hmac.new(key, words.encode(), hashlib.sha256).digest()[:16]

    def derive(self, purpose: str) -> str:
        """A secret text for one purpose (session cookies), the same at every start."""
        return hmac.new(self._key, purpose.encode(), hashlib.sha256).hexdigest()


def _padded(secret: bytes, least: int) -> bytes:
    size = least or 1
    while size <= len(secret):
        size *= 2
    return (secret + _END).ljust(size if least else 0, b"\0")


def open_vault(folder: Path, new: bool) -> Vault:
    """The vault of a state folder. ``new`` makes the key file if there is none: never beside an old database."""
    path = folder / KEY_FILE
    if new and not path.exists():
        _make_key(path)
    with suppress(OSError):  # another's file, which its owner lets this program read
        path.chmod(0o600)
    try:
        key = path.read_bytes()
    except OSError as err:
        raise VaultError(f"{path} cannot be read. Without it the database's secrets stay sealed.") from err
    if len(key) != SecretBox.KEY_SIZE:
        raise VaultError(f"{path} is not a key file")
    return Vault(key)


def _make_key(path: Path) -> None:
    """Write the key under another name first and link it: of two programs that start at once, one key wins whole."""
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(os.urandom(SecretBox.KEY_SIZE))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            return
    finally:
        draft.unlink()
