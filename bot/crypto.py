"""Encryption of personal data at rest, and the secrets a development machine makes for itself."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import secrets
from functools import lru_cache
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from bot.errors import YihaodaError
from bot.settings import Settings, get_settings


class CannotDecrypt(YihaodaError):
    """Stored text was encrypted with a key that is not among the configured ones."""

    code = "cannot_decrypt"


class Cipher:
    """Encrypts text with the first key, decrypts with any (Fernet: AES-128-CBC with HMAC-SHA256)."""

    def __init__(self, keys: list[str]) -> None:
        """Args: keys: url-safe base64 Fernet keys, the newest first.  Raises: CannotDecrypt on a malformed key."""
        try:
            self._fernet = MultiFernet([Fernet(key) for key in keys])
        except ValueError as error:
            raise CannotDecrypt("YIHAODA_SECRET_KEYS 里有格式不对的密钥，请用 Fernet 密钥。") from error
        self._pseudonym_key = hashlib.sha256(f"pseudonym:{keys[0]}".encode()).digest()

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
            return self._fernet.rotate(token.encode()).decode("ascii")
        except InvalidToken as error:
            raise CannotDecrypt("有一条数据解不开：当前密钥里没有当初加密用的那一把。") from error

    def pseudonym(self, text: str) -> str:
        """A name for somebody that tells nothing without the newest key: HMAC-SHA256, 64 hex digits.

        There are so few addresses that a bare hash of one could be looked up.
        """
        return hmac.new(self._pseudonym_key, text.encode(), hashlib.sha256).hexdigest()


def secret_from_file(path: Path, make: str) -> str:
    """The secret in ``path``; made there first (``make``), readable by the owner only.  Safe when two processes race."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(f".{os.getpid()}.{secrets.token_hex(4)}")
        draft.write_text(make, encoding="ascii")
        draft.chmod(0o600)
        # A link fails where the name exists: the first process wins, and all read its secret.
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(draft)
        draft.unlink()
    return path.read_text(encoding="ascii").strip()


def cipher_for(settings: Settings) -> Cipher:
    """The cipher for these settings; development keeps its own key in ``data_dir/secret.key``."""
    given = settings.secret_keys.get_secret_value()
    if given:
        return Cipher([key.strip() for key in given.split(",") if key.strip()])
    return Cipher([secret_from_file(settings.data_dir / "secret.key", Fernet.generate_key().decode("ascii"))])


@lru_cache
def get_cipher() -> Cipher:
    """The process's cipher."""
    return cipher_for(get_settings())


def operator_token(settings: Settings) -> str:
    """The token that opens the operators' routes."""
    given = settings.operator_token.get_secret_value()
    return given or secret_from_file(settings.data_dir / "operator.token", secrets.token_urlsafe(24))


def digest(text: str) -> str:
    """SHA-256 of a random token, for storing it: high entropy needs no salt."""
    return hashlib.sha256(text.encode()).hexdigest()


def same(left: str, right: str) -> bool:
    """Whether two secrets are equal, in time that tells nothing about where they part."""
    return hmac.compare_digest(left.encode(), right.encode())
