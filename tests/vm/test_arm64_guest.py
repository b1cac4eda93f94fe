"""The whole gate as an ARM board runs it: Debian 13's kernel and Python, the locked wheels."""

import asyncio
import json
import shlex
import socket
import subprocess
import time
from pathlib import Path
from typing import Any, Final

import pytest

from gate_for_guest import enrolled_gate

pytestmark = [pytest.mark.slow, pytest.mark.arm64]

ROOT: Final = Path(__file__).resolve().parents[2]
VM: Final = ROOT / "var/vm-arm64"
PROOF_S_MAX: Final = 1200


def _command(qemu: str, job: Path, printed: Path, scanner: Path) -> list[str]:
    words = ["nice", qemu, "-M", "virt", "-cpu", "cortex-a53", "-accel", "tcg,thread=multi"]
    words += ["-smp", "2", "-m", "1024", "-display", "none", "-no-reboot", "-nodefaults"]
    words += ["-nic", "none", "-kernel", str(VM / "vmlinuz"), "-initrd", str(VM / "initrd")]
    words += ["-append", f"console=ttyAMA0 quiet panic=-1 project={ROOT}", "-serial", "stdio"]
    words += ["-device", "virtio-serial-pci", "-chardev", f"file,id=printed,path={printed}"]
    words += ["-device", "virtconsole,chardev=printed", "-device", "qemu-xhci"]
    words += ["-chardev", f"socket,id=scanner,path={scanner},server=on,wait=off"]
    words += ["-device", "usb-serial,chardev=scanner,always-plugged=on"]
    folders = {"tree": VM / "root", "layer": VM / "layer", "project": ROOT, "job": job}
    for name, folder in folders.items():
        shared = f"local,id={name},path={folder},security_model=none,readonly=on,multidevs=remap"
        words += ["-fsdev", shared, "-device", f"virtio-9p-pci,fsdev={name},mount_tag={name}"]
    return words


def _job() -> str:
    environment = {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": "/tmp",
        "LANG": "C.UTF-8",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": f"{ROOT}:/opt/portillon-vm",
    }
    lines = [f"export {name}={shlex.quote(value)}" for name, value in environment.items()]
    proof = f"exec python3 {shlex.quote(str(ROOT / 'tests/vm/guest/arm64_proof.py'))}\n"
    return "\n".join([*lines, "cd /tmp", proof])


def _steps(printed: Path) -> dict[str, dict[str, Any]]:
    lines = printed.read_text(errors="replace").splitlines() if printed.exists() else []
    steps = [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]
    return {step["step"]: step for step in steps}


def _run(folder: Path, ticket: str) -> dict[str, dict[str, Any]]:
    """Run the guest to its end; hold the ticket before its scanner once its gate is ready."""
    (folder / "job/run").write_text(_job())
    qemu = subprocess.run(
        [ROOT / "tools/qemu", "aarch64"], check=True, capture_output=True, text=True
    ).stdout.strip()
    printed, scanner, console = (folder / name for name in ("printed", "scanner", "console"))
    with console.open("wb") as told:
        machine = subprocess.Popen(
            _command(qemu, folder / "job", printed, scanner),
            stdin=subprocess.DEVNULL,
            stdout=told,
            stderr=subprocess.STDOUT,
        )
        try:
            until = time.monotonic() + PROOF_S_MAX
            while "ready" not in _steps(printed) and machine.poll() is None:
                assert time.monotonic() < until, "the gate was not ready in time"
                time.sleep(1)
            if machine.poll() is None:
                with socket.socket(socket.AF_UNIX) as line:
                    line.connect(str(scanner))
                    line.sendall(ticket.encode() + b"\r")
                    machine.wait(max(1, until - time.monotonic()))
        finally:
            machine.kill()
            machine.wait()
    steps = _steps(printed)
    if "end" not in steps:
        said = console.read_text(errors="replace").splitlines()[-60:]
        pytest.fail(f"the guest came to {list(steps)} and not to its end\n" + "\n".join(said))
    return steps


async def test_a_gate_on_arm_admits_a_ticket_from_its_serial_line_and_moves_the_relay(
    tmp_path: Path, record_property: Any
):
    assert not ROOT.is_relative_to("/tmp"), "the guest has a /tmp of its own: put this elsewhere"
    built = await asyncio.to_thread(
        subprocess.run, [ROOT / "tools/vm-arm64"], check=False, capture_output=True, text=True
    )
    if built.returncode:
        pytest.fail(f"the guest cannot be built:\n{built.stderr}")
    (tmp_path / "job/gate").mkdir(parents=True)
    ticket, _ = await enrolled_gate(tmp_path / "stage", tmp_path / "job/gate")
    began = time.monotonic()
    proof = await asyncio.to_thread(_run, tmp_path, ticket)
    times = f"gate ready {proof['ready']['after_s']:.0f} s after its start"
    record_property("vm", f"{times}; {time.monotonic() - began:.0f} s in all")
    assert proof["board"]["machine"] == "aarch64"
    assert proof["board"]["python"].startswith("3.13")
    assert proof["chip"]["label"] == "pl061"
    assert proof["ready"]["relay"] == ["out", "lo"]  # claimed, and nothing opened
    assert proof["scan"]["answer"] == "granted"
    assert proof["scan"]["relay"] == [["out", "lo"], ["out", "hi"], ["out", "lo"]]
    assert proof["stopped"]["status"] == 0
    assert proof["stopped"]["relay"] is None  # given back
