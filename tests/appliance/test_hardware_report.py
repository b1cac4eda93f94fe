"""The report of a real board: what it holds, what it never holds, and whose it is."""

import json
import struct
from datetime import UTC, datetime

import pytest

from admission.trust.keys import key_id, public_key
from appliance import hardware_report
from appliance.board_facts import read_board
from appliance.device_bench import Table
from appliance.errors import ApplianceError
from appliance.hardware_report import Answered, Report, as_text, checked, signed, written
from appliance.page_ports import CheckLine, CheckOutcome
from appliance.physical_checks import PHYSICAL_CHECKS, Answer
from portillon.__main__ import main
from portillon.hardware_report import questions

KEY = bytes(range(32))
SERIAL = "10000000deadbeef"


@pytest.fixture
def board(tmp_path):
    """The files of a Raspberry Pi 4 with a card, a battery's clock and a scanner."""

    def write(path, content):
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())

    write("proc/device-tree/model", "Raspberry Pi 4 Model B Rev 1.4\0")
    write("proc/device-tree/serial-number", SERIAL + "\0")
    chosen = "proc/device-tree/chosen/bootloader"
    write(f"{chosen}/build-timestamp", struct.pack(">I", 1673458053))
    write(f"{chosen}/partition", struct.pack(">I", 2))
    write(f"{chosen}/tryboot", b"odd")
    write("proc/cpuinfo", f"Revision\t: c03114\nSerial\t\t: {SERIAL}\nModel\t\t: Raspberry Pi 4\n")
    write("proc/meminfo", "MemTotal: 3884000 kB\nMemAvailable: 3000000 kB\n")
    write("proc/mounts", "/dev/root / squashfs ro,relatime 0 0\n/dev/mmcblk0p6 /data ext4 rw 0 0\n")
    write("etc/portillon-release", "PORTILLON_FLAVOUR=debian\nPORTILLON_EXPERIMENTAL=no\n")
    write("etc/os-release", 'PRETTY_NAME="Debian GNU/Linux 13"\nIMAGE_VERSION=0.2.0\n')
    write("sys/block/mmcblk0/size", "62333952\n")
    for name, said in (("name", "SC32G"), ("manfid", "0x000003"), ("serial", SERIAL)):
        write(f"sys/block/mmcblk0/device/{name}", said)
    write("sys/class/rtc/rtc0/name", "rtc-ds1307 1-0068\n")
    write("sys/class/watchdog/watchdog0/identity", "Broadcom BCM2835 Watchdog timer\n")
    write("sys/class/watchdog/watchdog0/timeout", "15\n")
    write("sys/bus/usb/devices/1-1/idVendor", "0c2e\n")
    write("sys/bus/usb/devices/1-1/idProduct", "0b61\n")
    write("sys/bus/usb/devices/1-1/serial", SERIAL)
    write("sys/bus/usb/devices/1-1/product", "Scanner\x07\n")
    return tmp_path


def test_a_board_is_told_by_what_the_kernel_says(board):
    facts = read_board(board)
    assert facts["board"]["model"] == "Raspberry Pi 4 Model B Rev 1.4"
    assert facts["board"]["revision"] == "c03114"
    assert facts["firmware"]["built"] == "2023-01-11"
    assert facts["firmware"]["partition"] == "2"
    assert facts["firmware"]["tryboot"] == "not understood"
    assert facts["firmware"]["version"] == "not told"
    assert facts["system"]["flavour"] == "debian"
    assert facts["slots"]["data"] == "ext4 rw"
    assert facts["card"] == {"mmcblk0": "29.7 GiB, name SC32G, manfid 0x000003"}
    assert facts["clocks"] == {"rtc0": "rtc-ds1307 1-0068", "counted by": "not told"}
    assert facts["watchdogs"] == {"watchdog0": "Broadcom BCM2835 Watchdog timer, bites after 15 s"}
    assert facts["scanners"] == {"usb 1-1 0c2e:0b61": "Scanner"}


def test_no_serial_number_is_in_it(board):
    assert SERIAL not in json.dumps(read_board(board))


def test_a_machine_that_tells_nothing_says_so_of_each_fact(tmp_path):
    counted = {"wired": "0", "wireless": "0", "with a link": "0"}
    facts = read_board(tmp_path)
    assert facts.pop("network") == counted
    assert {said for section in facts.values() for said in section.values()} == {"not told"}


def report(key=b""):
    return Report(
        made_at=datetime(2026, 12, 1, 12, tzinfo=UTC),
        software="0.1.0",
        key=key,
        board={"board": {"model": "Pi"}, "cameras": {}},
        checks=[
            CheckLine("identity", "GT-IDN", CheckOutcome.GOOD, "Porte de Marie"),
            CheckLine("reader:Marie", "GT-RDR", CheckOutcome.NOTE, ""),
            CheckLine("network", "GT-NET", CheckOutcome.GOOD, "wlxd83add123456"),
        ],
        figures=[Table("commits", ("p50 ms",), (("journal", (1.5,)), ("none", (None,))))],
        answers=[Answered("arm", Answer.YES, "once")],
    )


def test_names_that_people_gave_are_not_in_it():
    assert b"Marie" not in written(report())
    assert b"d83add123456" not in written(report())  # an interface named after its address


def test_readers_are_counted_and_not_named():
    checks = json.loads(written(report()))["checks"]
    assert [check["check"] for check in checks] == ["identity", "reader 1", "network"]


def test_it_can_be_read_by_people():
    text = as_text(checked(written(report()))[0])
    for words in ("model", "Pi", "(nothing is told)", "GT-RDR", "1.50", "arm", "yes", "once"):
        assert words in text


def test_one_that_a_stranger_made_up_gives_a_terminal_nothing_to_obey():
    document = json.loads(written(report()))
    document["software"] = "\x1b]0;owned\x07"
    document["board"]["board\x1b[2J"] = {"model": "\x9b31m\u202e"}
    text = as_text(document)
    assert all(line.isprintable() for line in text.split("\n"))


def test_a_signed_one_says_whose_it_is():
    body = written(report(public_key(KEY)))
    document, signer = checked(signed(body, KEY))
    assert signer == key_id(public_key(KEY))
    assert document == checked(body)[0]
    assert checked(body)[1] == ""


def test_one_that_names_another_gates_key_is_refused():
    with pytest.raises(ApplianceError, match="not signed with the key"):
        checked(signed(written(report(public_key(KEY))), bytes(32)))


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[" * 100_000,
        b"\xff\xfe",
        b'{"kind": "else"}',
        b'{"kind": "portillon-hardware-report", "format": 2}',
        b" " * (hardware_report.REPORT_BYTES_MAX + 1),
    ],
    ids=["empty", "deep", "no text", "another kind", "another format", "too long"],
)
def test_what_is_no_report_is_refused(raw):
    with pytest.raises(ApplianceError):
        checked(raw)


def test_half_a_report_is_refused_in_words():
    with pytest.raises(ApplianceError, match="no whole report"):
        as_text({"made_at": "x", "software": "y"})


def test_answers_are_taken_with_their_notes_and_asked_again_where_unclear():
    said = iter(["maybe", "y 18 s\x07", "n", "", "s\tlater"])

    def ask(_):
        return next(said)

    answers = questions(PHYSICAL_CHECKS[:4], ask)
    assert answers == [
        Answered(PHYSICAL_CHECKS[0].name, Answer.YES, "18 s"),
        Answered(PHYSICAL_CHECKS[1].name, Answer.NO),
        Answered(PHYSICAL_CHECKS[2].name, Answer.SKIPPED),
        Answered(PHYSICAL_CHECKS[3].name, Answer.SKIPPED, "later"),
    ]


def test_whoever_leaves_has_skipped_the_rest():
    def ask(_):
        raise EOFError

    answers = questions(PHYSICAL_CHECKS, ask)
    assert [one.check for one in answers] == [check.name for check in PHYSICAL_CHECKS]
    assert {one.answer for one in answers} == {Answer.SKIPPED}


def test_the_command_writes_a_report_that_it_reads_again(tmp_path, capsys, monkeypatch):
    from appliance.device_bench import Effort
    from portillon import hardware_report as command

    monkeypatch.setattr(command, "EFFORT", Effort(frames=1, commits=2, tickets=10))
    (tmp_path / "data").mkdir()
    (tmp_path / "pictures").mkdir()
    config = tmp_path / "gate.toml"
    config.write_text(
        f'data = "{tmp_path}/data"\nserver = "http://127.0.0.1:1"\n[[readers]]\nkind = "folder"'
        f'\nname = "pictures"\nfolder = "{tmp_path}/pictures"\ndecoder = "thread"\n'
    )
    words = ["selftest", "--config", str(config), "--hardware-report", "--no-questions"]
    assert main([*words, "--out", str(tmp_path)]) == 1  # it was never enrolled
    made = capsys.readouterr().out
    (path,) = tmp_path.glob("portillon-report-*.json")
    assert main(["selftest", "--check-report", str(path)]) == 0
    read = capsys.readouterr().out
    assert read.startswith(made.partition("\nWritten:")[0].rstrip())
    assert read.rstrip().endswith("Not signed")
    path.write_text("{}")
    assert main(["selftest", "--check-report", str(path)]) == 1
