#!/usr/bin/python3
"""What is in an image, as SPDX 2.3 (JSON) on stdout: from its dpkg database and copyright files.

    sbom.py IMAGE            zaehlwerk/NAME:VERSION, as Docker has it
    sbom.py NAME VERSION DIR the same of an unpacked root

Licences are those that a package's copyright file declares in Debian's machine-readable form
(DEP-5), under their SPDX names; without one: NOASSERTION. SOURCE_DATE_EPOCH is the time of creation.
"""

import datetime
import itertools
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import urllib.parse
import uuid

# Debian's short names that are not SPDX's, versions of the GNU licences apart.
SPDX = {
    "expat": "MIT", "mit": "MIT", "isc": "ISC", "zlib": "Zlib", "apache-2": "Apache-2.0", "apache-2.0": "Apache-2.0", "bsd-2-clause": "BSD-2-Clause",
    "bsd-3-clause": "BSD-3-Clause", "bsd-4-clause": "BSD-4-Clause", "mpl-2.0": "MPL-2.0", "mpl-1.1": "MPL-1.1",
    "artistic": "Artistic-1.0", "artistic-2": "Artistic-2.0", "boost-1.0": "BSL-1.0", "bsl-1.0": "BSL-1.0", "curl": "curl", "openldap-2.8": "OLDAP-2.8",
    "cc0-1.0": "CC0-1.0", "unicode": "Unicode-DFS-2016", "postgresql": "PostgreSQL", "openssl": "OpenSSL", "beerware": "Beerware",
}  # fmt: skip


def stanzas(text):
    """The paragraphs of a control file, as dicts; a field's further lines stay in its value."""
    for paragraph in re.split(r"\n\s*\n", text.strip()):
        fields, name = {}, None
        for line in paragraph.splitlines():
            if line[:1] in " \t" and name:
                fields[name] += "\n" + line.strip()
            elif ":" in line:
                name, _, value = line.partition(":")
                fields[name] = value.strip()
        yield fields


def spdx_licence(name):
    """One of Debian's short names as SPDX's, or None."""
    gnu = re.fullmatch(r"(A?GPL|LGPL|GFDL)-v?(\d)(?:\.(\d))?(\+?)", name, re.I)
    if gnu:
        kind = "only" if not gnu[4] else "or-later"
        return f"{gnu[1].upper()}-{gnu[2]}.{gnu[3] or 0}-{kind}"
    return SPDX.get(name.lower())


class Licences:
    """Licence expressions, and the texts of those that SPDX does not know."""

    def __init__(self):
        self.extracted = {}

    def name(self, short, texts):
        known = spdx_licence(short)
        if known:
            return known
        text = texts.get(short) or short
        base = "LicenseRef-" + re.sub(r"[^A-Za-z0-9.]+", "-", short).strip("-")
        for number in itertools.count(1):  # other packages have other texts by the same name
            reference = base if number == 1 else f"{base}-{number}"
            if self.extracted.setdefault(reference, (short, text))[1] == text:
                return reference

    def expression(self, debian, texts):
        """"GPL-2+ or MIT, and ISC": a comma groups what stands before it; "with ..." belongs to the name."""
        groups = re.split(r",\s*(and|or)\s+", re.sub(r"\band/or\b", "or", debian.strip().rstrip(",")), flags=re.I)
        for i in range(0, len(groups), 2):
            parts = re.split(r"\s+(and|or)\s+", groups[i], flags=re.I)
            parts[::2] = [self.name(re.sub(r"\s+", "-", p.strip()), texts) for p in parts[::2]]
            grouped = len(groups) > 1 and len(parts) > 1
            groups[i] = ("(%s)" if grouped else "%s") % " ".join([p.upper() if n % 2 else p for n, p in enumerate(parts)])
        return " ".join(g.upper() if n % 2 else g for n, g in enumerate(groups))

    def declared(self, copyright_text):
        paragraphs = list(stanzas(copyright_text))
        if "copyright-format" not in paragraphs[0].get("Format", "") and "dep5" not in paragraphs[0].get("Format", "").lower():
            return "NOASSERTION"
        shorts, texts = [], {}
        for fields in paragraphs[1:]:
            short, _, text = fields.get("License", "").partition("\n")
            if text:
                texts[re.sub(r"\s+", "-", short.strip())] = text
            if "Files" in fields and short and short not in shorts:
                shorts.append(short)
        terms = set()
        for short in shorts:
            expression = self.expression(short, texts)
            terms.update([expression] if " OR " in expression or "(" in expression else expression.split(" AND "))
        if len(terms) > 1:
            terms = {f"({t})" if " " in t else t for t in terms}
        return " AND ".join(sorted(terms)) or "NOASSERTION"


def read(path):
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def package(name, version, **more):
    identifier = "SPDXRef-" + re.sub(r"[^A-Za-z0-9.-]", "-", more.pop("of", "Package") + "-" + name)
    return {"name": name, "SPDXID": identifier, "versionInfo": version, "downloadLocation": "NOASSERTION",
            "filesAnalyzed": False, "licenseConcluded": "NOASSERTION", "licenseDeclared": "NOASSERTION",
            "copyrightText": "NOASSERTION"} | more  # fmt: skip


def debian_package(fields, root, distribution, licences):
    name, version, architecture = fields["Package"], fields["Version"], fields["Architecture"]
    source, _, source_version = fields.get("Source", name).partition(" ")
    text = read(root / "usr/share/doc" / name / "copyright")
    query = urllib.parse.urlencode({"arch": architecture, "distro": distribution})
    purl = f"pkg:deb/debian/{urllib.parse.quote(name)}@{urllib.parse.quote(version, safe='')}?{query}"
    return package(
        name, version,
        supplier="Organization: Debian",
        sourceInfo=f"built from the source package {source} {source_version.strip('()') or version}",
        licenseDeclared=licences.declared(text) if text else "NOASSERTION",
        externalRefs=[{"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": purl}],
        **({"homepage": fields["Homepage"]} if "Homepage" in fields else {}))  # fmt: skip


def document(name, version, root, comment=None):
    licences = Licences()
    release = dict(re.findall(r'^(\w+)="?([^"\n]*)', read(root / "usr/lib/os-release"), re.M))
    distribution = f"{release.get('ID', 'debian')}-{release.get('VERSION_ID', '')}".rstrip("-")
    image = package(f"zaehlwerk/{name}", version, of="Image", primaryPackagePurpose="CONTAINER")
    ours = package(name, version, of="Zaehlwerk", primaryPackagePurpose="APPLICATION", licenseDeclared="GPL-3.0-or-later",
                   sourceInfo="built from Zählwerk's own source; its binary is /usr/bin/" + name)  # fmt: skip
    installed = [f for f in stanzas(read(root / "var/lib/dpkg/status")) if f.get("Status", "").endswith(" installed")]
    packages = [debian_package(f, root, distribution, licences) for f in sorted(installed, key=lambda f: f["Package"])]
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    created = datetime.datetime.fromtimestamp(int(epoch) if epoch else time.time(), datetime.timezone.utc)
    relations = [("SPDXRef-DOCUMENT", "DESCRIBES", image), *((image["SPDXID"], "CONTAINS", p) for p in [ours, *packages])]
    result = {
        "spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT", "name": f"zaehlwerk/{name}:{version}",
        "creationInfo": {"created": created.strftime("%Y-%m-%dT%H:%M:%SZ"), "creators": [f"Tool: zaehlwerk-sbom-{version}"]},
        "packages": [image, ours, *packages],
        "relationships": [{"spdxElementId": a, "relationshipType": kind, "relatedSpdxElement": b["SPDXID"]} for a, kind, b in relations],
        "hasExtractedLicensingInfos": [{"licenseId": i, "name": n, "extractedText": t} for i, (n, t) in sorted(licences.extracted.items())],
    }  # fmt: skip
    if comment:
        image["comment"] = comment
    # The same contents have the same name, others another.
    result["documentNamespace"] = "urn:uuid:" + str(uuid.uuid5(uuid.NAMESPACE_OID, json.dumps(result, sort_keys=True)))
    return result


def docker(*argv, **how):
    return subprocess.run(["docker", *argv], check=True, stdout=subprocess.PIPE, text=True, **how).stdout.strip()


def of_image(image):
    """Nothing in it is run: a container is made, copied from and removed."""
    name, version = image.rpartition("/")[2].rsplit(":", 1)
    container = docker("create", image)
    try:
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            for path in ("var/lib/dpkg/status", "usr/share/doc", "usr/lib/os-release"):
                (root / path).parent.mkdir(parents=True, exist_ok=True)
                docker("cp", f"{container}:/{path}", str(root / path))
            return document(name, version, root, "image " + docker("inspect", "--format", "{{.Id}}", image))
    finally:
        docker("rm", container)


def main(argv):
    if len(argv) == 2:
        result = of_image(argv[1])
    elif len(argv) == 4:
        result = document(argv[1], argv[2], pathlib.Path(argv[3]))
    else:
        sys.exit(__doc__)
    json.dump(result, sys.stdout, indent=1, ensure_ascii=False)
    print()


if __name__ == "__main__":
    main(sys.argv)
