"""`tools/update-keys`: an authority, and a signer that it certifies, kept out of repositories."""

import os
import subprocess
from pathlib import Path

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

ROOT = Path(__file__).resolve().parent.parent


def made(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(ROOT / "tools/update-keys"), *map(str, words)],
        env=os.environ | {"PORTILLON_PASSPHRASE": "long enough"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_signer_is_good_for_signing_code_alone_and_certified_by_its_authority(tmp_path):
    assert made("authority", tmp_path, "release").returncode == 0
    signer = made("signer", tmp_path, "release-0.2.0", "release")
    assert signer.returncode == 0, signer.stderr
    by, of = (
        x509.load_pem_x509_certificate((tmp_path / f"{name}.pem").read_bytes())
        for name in ("release", "release-0.2.0")
    )
    of.verify_directly_issued_by(by)
    usage = of.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.CODE_SIGNING]
    assert b"ENCRYPTED" in (tmp_path / "release.key").read_bytes()
    assert {oct(one.stat().st_mode & 0o777) for one in tmp_path.iterdir()} == {"0o600"}


def test_keys_are_neither_written_over_nor_made_in_a_repository(tmp_path):
    assert made("authority", tmp_path, "release").returncode == 0
    again = made("authority", tmp_path, "release")
    assert (again.returncode, "not written over" in again.stderr) == (1, True)
    inside = made("authority", ROOT / "docs", "release")
    assert (inside.returncode, "in a repository" in inside.stderr) == (1, True)
    assert not (ROOT / "docs/release.key").exists()
