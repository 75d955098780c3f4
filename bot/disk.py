"""Disks: whether the folders that we write to take more, what a failed write says in plain Chinese, packing old logs."""

from __future__ import annotations

import contextlib
import errno
import gzip
import os
import secrets
import shutil
import sqlite3
from pathlib import Path

FULL = "磁盘满了，写不进去。请清理磁盘后再试。"
_READ_ONLY = "磁盘是只读的，写不进去。请检查磁盘。"
_BROKEN = "磁盘读写出错。请检查磁盘。"
_BY_ERRNO = {
    errno.ENOSPC: FULL,
    errno.EDQUOT: "磁盘配额用完了，写不进去。请清理文件或调高配额后再试。",
    errno.EFBIG: "文件超过了系统允许的大小，写不进去。请检查 ulimit -f 的限制。",
    errno.EROFS: _READ_ONLY,
    errno.EIO: _BROKEN,
    errno.EMFILE: "打开的文件太多。请调高 ulimit -n 的限制后再试。",
    errno.ENFILE: "整个系统打开的文件太多。请稍后再试。",
    errno.EACCES: "没有权限。请检查文件和文件夹的权限，以及运行账号。",
    errno.EPERM: "没有权限。请检查文件和文件夹的权限，以及运行账号。",
    errno.ENOENT: "没有这个文件或文件夹。",
    errno.ENOTDIR: "路径中间有一段不是文件夹。",
    errno.EISDIR: "这是一个文件夹，不是文件。",
    errno.EEXIST: "已经有这个文件了。",
    errno.ENOTEMPTY: "文件夹不是空的。",
    errno.ENAMETOOLONG: "文件名太长。",
    errno.EPIPE: "接收输出的程序已经退出。",
}
_BY_SQLITE = {
    sqlite3.SQLITE_FULL: FULL,
    sqlite3.SQLITE_IOERR_SHMSIZE: FULL,  # no room for the write-ahead log's index
    sqlite3.SQLITE_READONLY: _READ_ONLY,
    sqlite3.SQLITE_IOERR: _BROKEN,
    sqlite3.SQLITE_CANTOPEN: "数据库文件打不开。请检查数据文件夹的权限和磁盘。",
    sqlite3.SQLITE_CORRUPT: "数据库文件损坏。请从备份恢复。",
    sqlite3.SQLITE_NOTADB: "数据库文件损坏。请从备份恢复。",
}
_BY_SQLSTATE = {
    "53100": "数据库服务器的磁盘满了。请清理后再试。",
    "58030": "数据库服务器的磁盘读写出错。请检查。",
}
_BY_WORDS = {  # what libraries in C and Rust leave of the number
    "no space left on device": FULL,
    "database or disk is full": FULL,
    "disk quota exceeded": _BY_ERRNO[errno.EDQUOT],
    "file too large": _BY_ERRNO[errno.EFBIG],
    "read-only file system": _READ_ONLY,
    " requested and ": FULL,  # numpy, of a write that took a part only: "6300 requested and 3040 written"
}
PROBE_BYTES = 4096


def reason(error: BaseException) -> str | None:
    """A sentence for what the system or the database said, with the file where it is known; None where it is something else.

    Looks through the causes of an error too: a library's own error often hides the system's.
    """
    seen: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in seen:
        if said := own_reason(cause):
            return said
        seen.append(cause)
        cause = getattr(cause, "orig", None) or cause.__cause__ or cause.__context__
    return None


def own_reason(error: BaseException) -> str | None:
    """The same, of this error alone."""
    if isinstance(error, OSError) and error.errno in _BY_ERRNO:
        return f"{error.filename}：{_BY_ERRNO[error.errno]}" if error.filename else _BY_ERRNO[error.errno]
    if isinstance(error, sqlite3.Error):
        code = getattr(error, "sqlite_errorcode", 0)
        return _BY_SQLITE.get(code) or _BY_SQLITE.get(code & 0xFF)  # the low byte is the primary code
    if said := _BY_SQLSTATE.get(str(getattr(error, "sqlstate", ""))):
        return said
    words = str(error).lower()
    return next((said for part, said in _BY_WORDS.items() if part in words), None)


def free_bytes(folder: Path) -> int:
    """What a process like ours may still write on the folder's disk.  Raises: OSError."""
    return shutil.disk_usage(_existing(folder)).free


def trouble(folder: Path, name: str, least: int) -> str | None:
    """Why an operator should look at a folder that we write to: it takes nothing, or there is little room; else None.

    A small file is written there and removed: what a full disk, a quota, a lack of inodes, a disk gone read-only or wrong
    permissions have in common is that this fails.

    Args:
        name: What people call the folder.
        least: Bytes that should be free.
    """
    probe = folder / f".probe-{os.getpid()}-{secrets.token_hex(4)}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            probe.write_bytes(b"\0" * PROBE_BYTES)
        finally:
            with contextlib.suppress(OSError):
                probe.unlink(missing_ok=True)
        free = free_bytes(folder)
    except OSError as error:
        error.filename = None  # the probe's name says nothing
        return f"{name}写不进去：{reason(error) or error}"
    if free < least:
        return f"{name}所在的磁盘只剩 {free / 1e6:.0f} MB，少于 {least / 1e6:.0f} MB。请清理磁盘。"
    return None


def compress(path: Path) -> None:
    """``x.log`` becomes ``x.log.gz``, added to the one that is there.

    Raises:
        OSError: disk full, say; then ``x.log`` stays and nothing else is left.
    """
    draft, packed = path.with_name(f".{path.name}.part"), path.with_name(f"{path.name}.gz")
    try:
        draft.touch(0o600)
        with draft.open("wb") as file:
            if packed.exists():
                with packed.open("rb") as before:
                    shutil.copyfileobj(before, file)
            with path.open("rb") as plain, gzip.GzipFile(path.name, "wb", fileobj=file) as more:
                shutil.copyfileobj(plain, more)
        shutil.copystat(path, draft)
        draft.replace(packed)
        path.unlink()
    finally:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)


def _existing(folder: Path) -> Path:
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder
