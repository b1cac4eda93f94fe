"""The steps that make a gate's tree of a Debian's, on trees of a few files, and its checks."""

from pathlib import Path

import pytest

from caretaker.network_files import KEYS_FILE
from caretaker.places import Places
from caretaker.update_file import running_version
from image_makers import EPOCH, put, recipe
from imaging import checks, doors, hooks
from imaging.errors import BuildError

SSHD_FIRST = "etc/ssh/sshd_config.d/10-first.conf"  # read before the image's own


def listing(tree: Path) -> dict[str, tuple[int, str]]:
    return {
        str(path.relative_to(tree)): (
            path.lstat().st_mode,
            str(path.readlink()) if path.is_symlink() else path.read_text(errors="replace"),
        )
        for path in sorted(tree.rglob("*"))
        if path.is_symlink() or path.is_file()
    }


DEBIAN = {
    "etc/machine-id": "0123456789abcdef0123456789abcdef\n",
    "etc/ssh/ssh_host_ed25519_key": "secret",
    "etc/shadow": "root:$y$abc:20000:0:99999:7:::\ndaemon:*:20000:0:99999:7:::\n",
    "etc/shadow-": "root:$y$abc:20000:0:99999:7:::\n",
    "etc/passwd": "root:x:0:0:root:/root:/bin/bash\n",
    "etc/group": "root:x:0:\nvideo:x:44:\ndialout:x:20:\ninput:x:995:\n",
    "etc/apt/sources.list": "deb x",
    "etc/fstab": "# old",
    "usr/lib/os-release": 'PRETTY_NAME="Debian"\nIMAGE_VERSION=old\n',
    "usr/bin/apt-get": "program",
    "usr/bin/mount": "program",
    "usr/sbin/iw": "program",
    "usr/sbin/nft": "program",
    "usr/sbin/sshd": "program",
    "etc/ssh/sshd_config": "Include /etc/ssh/sshd_config.d/*.conf\nUsePAM yes\n",
    "usr/lib/dbus-1.0/dbus-daemon-launch-helper": "program",
    "usr/share/man/man1/x.1": "page",
    "usr/share/ca-certificates/mozilla/B.crt": "two\n",
    "usr/share/ca-certificates/mozilla/A.crt": "one\n",
    "usr/lib/firmware/regulatory.db-debian": "table",
    "usr/lib/firmware/regulatory.db.p7s-debian": "signature",
    "usr/lib/python3.13/test/x.py": "",
    "var/lib/dpkg/status": "",
    "var/tmp/x": "",
    "usr/lib/systemd/systemd": "",
    "usr/bin/portillon": "",
    "usr/lib/portillon/portillon/__main__.py": "",
    "usr/lib/systemd/system/multi-user.target": "[Unit]\n",
    **{f"usr/lib/systemd/system/{unit}": "[Install]\nWantedBy=multi-user.target\n" for unit in (
        "nftables.service", "ssh.service", "systemd-networkd.service", "systemd-resolved.service",
        "systemd-timesyncd.service")},
}  # fmt: skip


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    put(root, DEBIAN)
    (root / "usr/bin/mount").chmod(0o4755)
    (root / "usr/lib/dbus-1.0/dbus-daemon-launch-helper").chmod(0o4754)
    return root


def test_all_steps_make_a_tree_that_passes_the_checks_and_again_change_nothing(tree, tmp_path):
    for hook in hooks.HOOKS.values():
        hook(tree, recipe(tmp_path))
    checks.check(tree)
    first = listing(tree)
    for hook in hooks.HOOKS.values():
        hook(tree, recipe(tmp_path))
    assert listing(tree) == first


def test_steps_are_numbered_in_their_order():
    assert list(hooks.HOOKS) == sorted(hooks.HOOKS)


def test_nothing_that_makes_machines_alike_stays(tree, tmp_path):
    hooks.identity(tree, recipe(tmp_path))
    assert (tree / "etc/machine-id").read_text() == ""
    assert not list((tree / "etc/ssh").glob("ssh_host_*"))
    day = EPOCH // 86400
    assert (tree / "etc/shadow").read_text().splitlines()[0] == f"root:*:{day}:0:99999:7:::"


def test_the_first_step_takes_what_it_is_to_take(tree, tmp_path):
    hooks.leftovers(tree, recipe(tmp_path))
    for gone in ("etc/apt", "usr/bin/apt-get", "usr/share/man", "etc/fstab", "etc/shadow-"):
        assert not (tree / gone).exists()
    assert (tree / "etc/shadow").exists()


def test_certificates_are_one_file_in_one_order(tree, tmp_path):
    hooks.certificates(tree, recipe(tmp_path))
    assert (tree / "etc/ssl/certs/ca-certificates.crt").read_text() == "one\ntwo\n"


def test_a_flavour_without_certificates_is_not_built(tmp_path):
    with pytest.raises(BuildError, match="no certificates"):
        hooks.certificates(tmp_path, recipe(tmp_path))


def test_a_keyring_is_in_the_image_if_it_was_given_and_only_then(tree, tmp_path):
    path = tree / "etc/rauc/keyring.pem"
    given = tmp_path / "ca.pem"
    given.write_text("-----BEGIN\n")
    hooks.layout(tree, recipe(tmp_path, keyring=given))
    hooks.names(tree, recipe(tmp_path, keyring=given))
    assert path.read_text() == "-----BEGIN\n"
    assert "PORTILLON_TAKES_UPDATES=yes" in (tree / hooks.RELEASE_FILE).read_text()
    hooks.layout(tree, recipe(tmp_path))
    hooks.names(tree, recipe(tmp_path))
    assert not path.exists()
    assert "PORTILLON_TAKES_UPDATES=no" in (tree / hooks.RELEASE_FILE).read_text()


def test_the_caretaker_reads_the_version_that_the_image_names(tree, tmp_path):
    (tree / "etc/os-release").symlink_to("../usr/lib/os-release")  # as Debian has it
    made = recipe(tmp_path)
    for _ in range(2):
        hooks.names(tree, made)
    assert running_version(Places(tree)) == made.version
    assert (tree / "usr/lib/os-release").read_text().count("IMAGE_VERSION") == 1


def test_the_rights_of_another_user_are_taken_but_from_the_list(tree, tmp_path):
    hooks.rights(tree, recipe(tmp_path))
    assert (tree / "usr/bin/mount").stat().st_mode & 0o7777 == 0o755
    helper = tree / "usr/lib/dbus-1.0/dbus-daemon-launch-helper"
    assert helper.stat().st_mode & 0o7777 == 0o4754


def test_the_gates_user_has_the_same_number_in_every_version(tree, tmp_path):
    for name in ("30-units", "40-overlay", "70-users"):
        hooks.HOOKS[name](tree, recipe(tmp_path))
    line = next(
        line
        for line in (tree / "etc/passwd").read_text().splitlines()
        if line.startswith("portillon-gate:")
    )
    assert line.split(":")[2] == "850"


def test_the_overlay_replaces_no_file_of_the_units(tree, tmp_path):
    hooks.units(tree, recipe(tmp_path))
    laid = set(listing(tree)) - set(DEBIAN)
    folder = hooks.FOLDER / "rootfs"
    over = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert laid & over == set()


def test_a_unit_whose_action_is_missing_is_left_out(tree):
    put(
        tree,
        {
            "usr/lib/systemd/system/portillon-strange.service": (
                "[Service]\nExecStart=/usr/bin/portillon care no-such-action\n"
            ),
            "usr/lib/systemd/system/portillon-strange.timer": "[Timer]\n",
            "usr/lib/systemd/system/portillon-known.service": (
                "[Service]\nExecStart=/usr/bin/portillon care save-clock\n"
            ),
        },
    )
    left_out = hooks.not_offered(tree)
    assert "portillon-strange.service" in left_out
    assert "portillon-strange.timer" in left_out
    assert "portillon-strange.path" not in left_out  # there is none
    assert "portillon-known.service" not in left_out


@pytest.mark.parametrize(
    ("name", "text", "mode", "words"),
    [
        ("usr/bin/gcc", "", 0o755, "no business on a gate"),
        ("usr/bin/pip3", "", 0o755, "no business on a gate"),
        ("etc/machine-id", "abc\n", 0o644, "one machine"),
        ("etc/ssh/ssh_host_rsa_key", "k", 0o600, "host's key"),
        ("etc/shadow", "root::1::::::\n", 0o640, "root needs no password"),
        ("etc/shadow", "root:$y$x:1::::::\n", 0o640, "root has a password"),
        ("usr/bin/su", "", 0o4755, "another user"),
        ("usr/bin/wall", "", 0o2755, "another user"),
        ("etc/open", "", 0o666, "written to by everybody"),
        ("var/lib/x", "", 0o644, "/var is not empty"),
        (SSHD_FIRST, "PasswordAuthentication yes\n", 0o644, "passwordauthentication is yes"),
        (SSHD_FIRST, "PermitRootLogin=yes\n", 0o644, "permitrootlogin is yes"),
        (SSHD_FIRST, "AuthorizedKeysFile .ssh/authorized_keys\n", 0o644, "authorizedkeysfile is"),
        (SSHD_FIRST, "AuthorizedKeysCommand /bin/x\n", 0o644, "another way in"),
        (SSHD_FIRST, "Match User x\nPasswordAuthentication yes\n", 0o644, "match is another way"),
        ("usr/lib/systemd/system/ssh.service.d/20-portillon.conf", "", 0o644, "without keys"),
        ("etc/systemd/system/sockets.target.wants/ssh.socket", "", 0o644, "ssh.socket opens"),
        ("etc/nftables.conf", "flush ruleset\n", 0o644, "no filter"),
        (
            "etc/nftables.conf",
            "chain input { type filter hook input priority 0; policy accept; }",
            0o644,
            "drops not all",
        ),
    ],
)
def test_a_tree_that_is_not_fit_for_a_gate_is_refused(tree, tmp_path, name, text, mode, words):
    for hook in hooks.HOOKS.values():
        hook(tree, recipe(tmp_path))
    put(tree, {name: text})
    (tree / name).chmod(mode)
    with pytest.raises(BuildError, match=words):
        checks.check(tree)


def test_ssh_that_systemd_opens_by_itself_is_seen(tree, tmp_path):
    for hook in hooks.HOOKS.values():
        hook(tree, recipe(tmp_path))
    (tree / hooks.SSH_GENERATOR_MASK).unlink()
    with pytest.raises(BuildError, match="systemd-ssh-generator"):
        checks.check(tree)


def test_a_filter_that_is_not_enabled_is_seen(tree, tmp_path):
    for hook in hooks.HOOKS.values():
        hook(tree, recipe(tmp_path))
    (tree / "etc/systemd/system/multi-user.target.wants/nftables.service").unlink()
    with pytest.raises(BuildError, match="nothing is dropped"):
        checks.check(tree)


def test_sshd_reads_keys_where_the_caretaker_writes_them():
    assert doors.SSHD["authorizedkeysfile"] == f"/{KEYS_FILE}"


def test_what_a_gate_needs_is_missed(tree, tmp_path):
    for hook in hooks.HOOKS.values():
        hook(tree, recipe(tmp_path))
    (tree / "usr/bin/portillon").unlink()
    with pytest.raises(BuildError, match="/usr/bin/portillon is missing"):
        checks.check(tree)
