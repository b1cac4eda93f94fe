"""What an image is made of, as an SPDX 2.3 document: Debian's packages and Python's wheels."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from imaging.packages import Package

SBOM_FILE: Final = "usr/share/portillon/sbom.spdx.json"


@dataclass(frozen=True, slots=True)
class Part:
    """One thing that is in the image.

    Attributes:
        name, version: of it.
        purl: its address among packages, as package-url.
        sha256: of the file that it came in; "" where that is not at hand.
    """

    name: str
    version: str
    purl: str
    sha256: str = ""


def installed(status: str) -> Iterator[Part]:
    """Give the packages of a dpkg status file that are installed."""
    for paragraph in status.split("\n\n"):
        fields = dict(re.findall(r"^([A-Z][\w-]*): (.*)$", paragraph, re.MULTILINE))
        if fields.get("Status") == "install ok installed":
            name, version = fields["Package"], fields["Version"]
            yield Part(name, version, _deb(name, version, fields["Architecture"]))


def beside(packages: list[Package]) -> Iterator[Part]:
    """Give the packages that were laid beside the system."""
    for package in packages:
        purl = _deb(package.name, package.version, package.arch)
        yield Part(package.name, package.version, purl, package.sha256)


def wheels(library: Path) -> Iterator[Part]:
    """Give the wheels of a folder of installed ones."""
    for path in library.glob("*.dist-info/METADATA"):
        text = path.read_text(encoding="utf-8").partition("\n\n")[0]
        fields = dict(re.findall(r"^(Name|Version): (.*)$", text, re.MULTILINE))
        name, version = fields["Name"], fields["Version"]
        yield Part(name, version, f"pkg:pypi/{name.lower().replace('_', '-')}@{version}")


def document(name: str, version: str, parts: list[Part], epoch: int) -> str:
    """Give the document: the same for the same parts, in whatever order they came."""
    own = _entry("SPDXRef-image", Part(name, version, f"pkg:generic/{name}@{version}"))
    entries = [
        _entry(f"SPDXRef-part-{number}", part)
        for number, part in enumerate(sorted(parts, key=lambda part: part.purl), start=1)
    ]
    whole = {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": f"{name}-{version}",
        "documentNamespace": f"urn:portillon:image:{name}:{version}",
        "creationInfo": {
            "created": datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "creators": ["Tool: portillon-image"],
        },
        "packages": [own, *entries],
        "relationships": [
            _relation("SPDXRef-DOCUMENT", "DESCRIBES", "SPDXRef-image"),
            *(_relation("SPDXRef-image", "CONTAINS", entry["SPDXID"]) for entry in entries),
        ],
    }
    return json.dumps(whole, indent=1, sort_keys=True) + "\n"


def _deb(name: str, version: str, arch: str) -> str:
    return f"pkg:deb/debian/{name}@{version.replace('+', '%2B').replace(':', '%3A')}?arch={arch}"


def _entry(spdx_id: str, part: Part) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "SPDXID": spdx_id,
        "name": part.name,
        "versionInfo": part.version,
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": False,
        "externalRefs": [
            {
                "referenceCategory": "PACKAGE-MANAGER",
                "referenceType": "purl",
                "referenceLocator": part.purl,
            }
        ],
    }
    if part.sha256:
        entry["checksums"] = [{"algorithm": "SHA256", "checksumValue": part.sha256}]
    return entry


def _relation(one: str, kind: str, other: str) -> dict[str, str]:
    return {"spdxElementId": one, "relationshipType": kind, "relatedSpdxElement": other}
