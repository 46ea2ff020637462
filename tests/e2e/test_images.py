"""The images' recipe and their lists of contents, as far as no container engine is needed."""

import json
import pathlib
import re
import subprocess

from frames import ROOT
from harness import BIN, Case

DOCKER = ROOT / "deploy/docker"
SERVICES = sorted(p.parent.name for p in ROOT.glob("services/*/main.c"))
FORBIDDEN = re.compile(r"^\s*(#\s*syntax=|RUN\s+--|COPY\s+.*(--link|--chmod|--parents)|.*<<)", re.M)  # BuildKit's alone


def targets():
    """The Dockerfile's last stages: name to instructions."""
    stages = re.split(r"^FROM (\S+) AS (\S+)\n", (DOCKER / "Dockerfile").read_text(), flags=re.M)
    return {name: (source, text) for source, name, text in zip(stages[1::3], stages[2::3], stages[3::3])}


class Recipe(Case):
    def help_of(self, service):
        return self.world.tool(BIN / service, "--help", check=True).stdout.decode()

    def test_a_target_for_each_program(self):
        stages = targets()
        self.assertEqual(sorted(stages.keys() - {"page", "build", "base", "streams"}), SERVICES)
        for name in SERVICES:
            with self.subTest(name):
                source, text = stages[name]
                self.assertIn(source, ("base", "streams"))
                self.assertIn(f"COPY --from=build /image/{name} /\n", text)
                self.assertIn(f'ENTRYPOINT ["/usr/bin/{name}"]', text)
                self.assertIn(f'image.title="{name}"', text)

    def test_health_at_the_usual_port(self):
        for name in SERVICES:
            with self.subTest(name):
                port = re.search(r"HTTP_LISTEN .*\[127\.0\.0\.1:(\d+)\]", self.help_of(name))
                text = targets()[name][1]
                if port is None:
                    self.assertNotIn("HEALTHCHECK", text)
                else:
                    self.assertIn(f"HTTP_LISTEN=0.0.0.0:{port[1]}", text)
                    self.assertIn(f'CMD ["/usr/bin/{name}", "--healthcheck"]', text)

    def test_nobody_is_root_and_the_base_is_slim(self):
        stages = targets()
        self.assertEqual({stages[name][0] for name in ("page", "build", "base")}, {"debian:bookworm-slim"})
        self.assertIn("USER 10001:10001\n", stages["base"][1])
        self.assertNotIn("USER", "".join(text for name, (_, text) in stages.items() if name != "base"))

    def test_the_legacy_builder_can_read_it(self):
        self.assertIsNone(FORBIDDEN.search((DOCKER / "Dockerfile").read_text()))

    def test_version_is_the_makefile_s(self):
        version = re.search(r"^VERSION := (\S+)", (ROOT / "Makefile").read_text(), re.M)[1]
        self.assertIn(f"ARG VERSION={version}\n", targets()["base"][1])


STATUS = """Package: libone1
Status: install ok installed
Architecture: amd64
Multi-Arch: same
Source: one (1.2-3)
Version: 1.2-3+b1
Description: first
 with a second line
Homepage: https://one.example/

Package: gone
Status: deinstall ok config-files
Architecture: amd64
Version: 9

Package: data+two
Status: install ok installed
Architecture: all
Version: 1:2~rc1-1

Package: three
Status: install ok installed
Architecture: all
Version: 3
"""
ONE = """Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: one

Files: *
Copyright: somebody
License: GPL-2+ or Expat, and BSD-3-clause

Files: odd/*
Copyright: somebody else
License: odd
 Do what is odd.
 .
 Twice.

Files: more/*
Copyright: somebody
License: Expat
"""


class Contents(Case):
    """make sbom: SPDX 2.3."""

    @classmethod
    def prepare(cls):
        root = cls.world.path / "root"
        for path, text in {
            "var/lib/dpkg/status": STATUS,
            "usr/share/doc/libone1/copyright": ONE,
            "usr/share/doc/three/copyright": "This is free software. See /usr/share/common-licenses/GPL-2.\n",
            "usr/lib/os-release": 'ID=debian\nVERSION_ID="12"\n',
        }.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text)
        cls.made, cls.host = cls.sbom(root), cls.sbom(pathlib.Path("/"))
        cls.again = cls.sbom(root)
        cls.root = root

    @classmethod
    def sbom(cls, root, epoch="1700000000"):
        result = subprocess.run([DOCKER / "sbom.py", "decryptor", "0.1.0", root], capture_output=True, check=True,
                                env={"SOURCE_DATE_EPOCH": epoch})  # fmt: skip
        return json.loads(result.stdout)

    def package(self, name):
        (found,) = [p for p in self.made["packages"] if p["name"] == name]
        return found

    def test_packages(self):
        names = [p["name"] for p in self.made["packages"]]
        self.assertEqual(names, ["zaehlwerk/decryptor", "decryptor", "data+two", "libone1", "three"])
        one = self.package("libone1")
        self.assertEqual(one["versionInfo"], "1.2-3+b1")
        self.assertEqual(one["sourceInfo"], "built from the source package one 1.2-3")
        self.assertEqual(one["homepage"], "https://one.example/")
        self.assertEqual(one["externalRefs"][0]["referenceLocator"], "pkg:deb/debian/libone1@1.2-3%2Bb1?arch=amd64&distro=debian-12")
        self.assertIn("pkg:deb/debian/data%2Btwo@1%3A2~rc1-1?arch=all", self.package("data+two")["externalRefs"][0]["referenceLocator"])

    def test_licences(self):
        self.assertEqual(self.package("libone1")["licenseDeclared"],
                         "((GPL-2.0-or-later OR MIT) AND BSD-3-Clause) AND LicenseRef-odd AND MIT")  # fmt: skip
        self.assertEqual(self.made["hasExtractedLicensingInfos"],
                         [{"licenseId": "LicenseRef-odd", "name": "odd", "extractedText": "Do what is odd.\n.\nTwice."}])  # fmt: skip
        for name in ("three", "data+two"):  # one does not say so for machines, one says nothing
            self.assertEqual(self.package(name)["licenseDeclared"], "NOASSERTION")
        self.assertEqual(self.package("decryptor")["licenseDeclared"], "GPL-3.0-or-later")

    def test_same_contents_same_document(self):
        self.assertEqual(self.made, self.again)
        self.assertEqual(self.made["creationInfo"]["created"], "2023-11-14T22:13:20Z")
        (self.root / "var/lib/dpkg/status").write_text(STATUS.replace("1.2-3+b1", "1.2-3+b2"))
        try:
            self.assertNotEqual(self.sbom(self.root)["documentNamespace"], self.made["documentNamespace"])
        finally:
            (self.root / "var/lib/dpkg/status").write_text(STATUS)

    def test_form(self):
        """What SPDX 2.3 demands, of the packages above and of all of this machine."""
        for document in (self.made, self.host):
            self.assertEqual((document["spdxVersion"], document["dataLicense"]), ("SPDX-2.3", "CC0-1.0"))
            self.assertRegex(document["documentNamespace"], r"^urn:uuid:[0-9a-f-]{36}$")
            self.assertRegex(document["creationInfo"]["creators"][0], r"^Tool: \S+-\S+$")
            ids = [p["SPDXID"] for p in document["packages"]]
            self.assertEqual(len(ids), len(set(ids)))
            for p in document["packages"]:
                self.assertRegex(p["SPDXID"], r"^SPDXRef-[A-Za-z0-9.-]+$")
                self.assertTrue(p["name"] and p["versionInfo"] and p["downloadLocation"])
                self.check_licence(p["licenseDeclared"], document)
            first, *others = document["relationships"]
            self.assertEqual((first["spdxElementId"], first["relationshipType"], first["relatedSpdxElement"]), ("SPDXRef-DOCUMENT", "DESCRIBES", ids[0]))
            self.assertEqual([(r["spdxElementId"], r["relationshipType"], r["relatedSpdxElement"]) for r in others], [(ids[0], "CONTAINS", i) for i in ids[1:]])
            references = [e["licenseId"] for e in document["hasExtractedLicensingInfos"]]
            self.assertEqual(len(references), len(set(references)))
            for e in document["hasExtractedLicensingInfos"]:
                self.assertTrue(e["extractedText"])
        self.assertGreater(len(self.host["packages"]), 100)

    def check_licence(self, expression, document):
        if expression == "NOASSERTION":
            return
        words = expression.replace("(", "").replace(")", "").split(" ")
        self.assertEqual({w for w in words[1::2]} - {"AND", "OR"}, set(), expression)
        known = {e["licenseId"] for e in document["hasExtractedLicensingInfos"]}
        for word in words[::2]:
            self.assertRegex(word, r"^(LicenseRef-)?[A-Za-z0-9][A-Za-z0-9.-]*$", expression)
            self.assertTrue(not word.startswith("LicenseRef-") or word in known, word)
        self.assertEqual(expression.count("("), expression.count(")"), expression)
