"""Encryption of personal data at rest, and the secrets a development machine makes for itself."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import os
import secrets
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from bot.errors import YihaodaError
from bot.settings import Settings, get_settings

KEY_FILE = "secret.key"
"""Where a development machine keeps its own keys, one a line, the newest first; in ``data_dir``."""


class CannotDecrypt(YihaodaError):
    """Stored text was encrypted with a key that is not among the configured ones."""

    code = "cannot_decrypt"


class Cipher:
    """Encrypts text with the first key, decrypts with any (Fernet: AES-128-CBC with HMAC-SHA256)."""

    def __init__(self, keys: Sequence[str]) -> None:
        """Args: keys: url-safe base64 Fernet keys, the newest first.  Raises: CannotDecrypt on a malformed key."""
        try:
            self._keys = {fingerprint(key): Fernet(key) for key in keys}
            self._fernet = MultiFernet(self._keys.values())
        except ValueError as error:
            raise CannotDecrypt("YIHAODA_SECRET_KEYS 里有格式不对的密钥，请用 Fernet 密钥。") from error
        self._blind_keys = [hashlib.sha256(f"blind index:{key}".encode()).digest() for key in keys]
        self._pseudonym_key = hashlib.sha256(f"pseudonym:{keys[0]}".encode()).digest()

    @property
    def fingerprints(self) -> tuple[str, ...]:
        """Of the keys, the newest first."""
        return tuple(self._keys)

    def encrypt(self, text: str) -> str:
        """Cipher text, url-safe."""
        return self._fernet.encrypt(text.encode()).decode("ascii")

    def decrypt(self, token: str, max_age_s: int | None = None) -> str:
        """Plain text.  Raises: CannotDecrypt; also if it was encrypted longer than ``max_age_s`` seconds ago."""
        try:
            return self._fernet.decrypt(token, ttl=max_age_s).decode()
        except (InvalidToken, ValueError) as error:  # ValueError: not even ASCII
            raise CannotDecrypt("有一条数据解不开：当前密钥里没有当初加密用的那一把。") from error

    def rotate(self, token: str) -> str:
        """The same text, encrypted with the newest key.  Raises: CannotDecrypt."""
        try:
            return self._fernet.rotate(token).decode("ascii")
        except (InvalidToken, ValueError) as error:
            raise CannotDecrypt("有一条数据解不开：当前密钥里没有当初加密用的那一把。") from error

    def opened_by(self, token: str) -> str | None:
        """The fingerprint of the key that opens it; None if no key does."""
        for name, key in self._keys.items():
            with contextlib.suppress(InvalidToken, ValueError):
                key.decrypt(token)
                return name
        return None

    def blind(self, text: str) -> tuple[str, ...]:
        """By what an encrypted value is found without being read: HMAC-SHA256, 64 hex digits, with a key of its own for each key.

        The newest key's first: that one is stored; the others find what a rotation has not renewed yet.
        """
        return tuple(hmac.new(key, text.encode(), hashlib.sha256).hexdigest() for key in self._blind_keys)

    def pseudonym(self, text: str) -> str:
        """A name for somebody that tells nothing without the newest key: HMAC-SHA256, 64 hex digits.

        There are so few addresses that a bare hash of one could be looked up.
        """
        return hmac.new(self._pseudonym_key, text.encode(), hashlib.sha256).hexdigest()


def fingerprint(key: str) -> str:
    """What names a key without telling it: 60 bits of its SHA-256 in base32, so that no part looks like a phone number."""
    return base64.b32encode(hashlib.sha256(key.encode()).digest()).decode("ascii")[:12].lower()


def secret_from_file(path: Path, make: str) -> str:
    """The secret in ``path``; made there first (``make``), readable by the owner only.  Safe when two processes race."""
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = _draft(path, make)
        # A link fails where the name exists: the first process wins, and all read its secret.
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(draft)
        draft.unlink()
    return path.read_text(encoding="ascii").strip()


def write_keys(path: Path, keys: Sequence[str]) -> None:
    """Replace a key file in one step, on the disk when this returns: what is encrypted from now on needs it."""
    draft = _draft(path, "".join(f"{key}\n" for key in keys))
    draft.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _draft(path: Path, content: str) -> Path:
    draft = path.with_suffix(f".{os.getpid()}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return draft


def split_keys(text: str) -> tuple[str, ...]:
    """The keys in a setting or a key file."""
    return tuple(text.replace(",", " ").split())


def cipher_for(settings: Settings) -> Cipher:
    """The cipher for these settings; development keeps its own keys in ``data_dir/secret.key``.

    That file is looked at on each use (one ``stat``), so that a running process takes up a new key at once.
    """
    return _cipher(settings.secret_keys.get_secret_value() or _key_file(settings.data_dir / KEY_FILE))


def get_cipher() -> Cipher:
    """The process's cipher."""
    return cipher_for(get_settings())


_cipher = lru_cache(maxsize=8)(lambda text: Cipher(split_keys(text)))
_seen: dict[Path, tuple[tuple[int, int], str]] = {}
"""Key files as they were read last: (modification time, inode), content."""


def _key_file(path: Path) -> str:
    known = _seen.get(path)
    try:
        stamp = _stamp(path)
    except FileNotFoundError:
        if known:
            return known[1]  # deleted under a running process: what it writes must fit what it has written
        secret_from_file(path, Fernet.generate_key().decode("ascii"))
        stamp = _stamp(path)
    if known and known[0] == stamp:
        return known[1]
    text = path.read_text(encoding="ascii")
    _seen[path] = stamp, text
    return text


def _stamp(path: Path) -> tuple[int, int]:
    stat = path.stat()
    return stat.st_mtime_ns, stat.st_ino


def digest(text: str) -> str:
    """SHA-256 of a random token, for storing it: high entropy needs no salt."""
    return hashlib.sha256(text.encode()).hexdigest()


def same(left: str, right: str) -> bool:
    """Whether two secrets are equal, in time that tells nothing about where they part."""
    return hmac.compare_digest(left.encode(), right.encode())
