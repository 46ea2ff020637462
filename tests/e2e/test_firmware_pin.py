"""The receiver's TLS by fingerprint: its pin.c with a real mbedTLS against a real TLS server."""

import subprocess

from frames import ROOT
from harness import Case, free_port, wait_until

HOST = ROOT / "build/san/test/pin_host"


class Fingerprint(Case):
    @classmethod
    def prepare(cls):
        path = cls.world.path
        openssl = lambda *words: cls.world.tool("openssl", *words)  # noqa: E731
        new = ["-newkey", "rsa:2048", "-nodes", "-days", "2"]
        openssl("req", "-x509", *new, "-subj", "/CN=some CA", "-keyout", path / "ca.key", "-out", path / "ca.crt")
        openssl("req", *new, "-subj", "/CN=another name", "-keyout", path / "server.key", "-out", path / "server.csr")
        openssl("x509", "-req", "-in", path / "server.csr", "-CA", path / "ca.crt", "-CAkey", path / "ca.key",
                "-CAcreateserial", "-days", "2", "-out", path / "server.crt")  # fmt: skip
        told = openssl("x509", "-in", path / "server.crt", "-noout", "-fingerprint", "-sha256").stdout.decode()
        cls.fingerprint = told.strip().split("=")[1]
        cls.port = free_port()
        cls.server = cls.world.start(
            "openssl", ["openssl", "s_server", "-accept", f"127.0.0.1:{cls.port}", "-key", path / "server.key",
                        "-cert", path / "server.crt", "-cert_chain", path / "ca.crt", "-tls1_2", "-quiet"],
            stdin=subprocess.PIPE)  # fmt: skip
        cls.server.ends |= {-15}
        wait_until(lambda: cls.connect(cls.fingerprint).returncode == 0, "the TLS server is up")

    @classmethod
    def connect(cls, *fingerprint):
        return subprocess.run([HOST, str(cls.port), *fingerprint], capture_output=True, timeout=20)

    def test_the_right_one(self):
        """Whoever has signed it and whatever name it has; in each way that people write it."""
        for text in (self.fingerprint, self.fingerprint.replace(":", ""), self.fingerprint.lower()):
            self.assertEqual(self.connect(text).stdout, b"connected\n", text)

    def test_every_other(self):
        """Each octet counts. -0x3000 is what the callback returned, so the handshake ended there."""
        for i in range(0, len(self.fingerprint), 9):
            text = self.fingerprint[:i] + ("0" if self.fingerprint[i] != "0" else "1") + self.fingerprint[i + 1:]
            self.assertEqual(self.connect(text).stdout, b"refused -0x3000\n", text)

    def test_without_one_nobody(self):
        """Neither fingerprint nor CA certificate, such as when the stored one cannot be read: no password leaves."""
        self.assertEqual(self.connect().stdout, b"refused -0x3000\n")

    def test_not_the_signer(self):
        """The CA's own certificate comes in the chain, too: its fingerprint is not the server's."""
        told = self.world.tool("openssl", "x509", "-in", self.world.path / "ca.crt", "-noout", "-fingerprint", "-sha256")
        self.assertEqual(self.connect(told.stdout.decode().strip().split("=")[1]).stdout, b"refused -0x3000\n")
