"""zaehlwerk anonymise: telegrams that decode with a printed key and name nobody."""

import json
import re

import frames
from harness import BIN, Case
from test_decode import KEYS, METER, TAGGED, key, sealed


class Anonymise(Case):
    def run_tool(self, command, arguments, octets, status=0):
        result = self.world.tool(BIN / "zaehlwerk", command, *arguments, stdin=octets)
        self.assertEqual(result.returncode, status, result.stderr)
        return result.stdout.decode(), result.stderr.decode()

    def anonymise(self, arguments, octets, status=0):
        """The lines of hex, what decodes them, and what was told beside."""
        out, told = self.run_tool("anonymise", arguments, octets, status)
        keys = re.search(r"zaehlwerk decode (--key [0-9A-F]{32}(?: --authentication-key [0-9A-F]{32})?)\n$", told)
        return out, keys[1].split() if keys else [], told

    def decode(self, arguments, hex_lines):
        out, told = self.run_tool("decode", [*arguments, "--format", "json"], hex_lines.encode())
        self.assertEqual(told, "")
        return [json.loads(line) for line in out.splitlines()]

    def assert_silent(self, secrets, out, told, plain=""):
        """No eight digits or characters in a row of any secret."""
        for secret in secrets:
            for text in {secret, secret.upper(), secret.lower(), secret.encode().hex().upper()}:
                for i in range(len(text) - 7):
                    for where in (out, told, plain):
                        self.assertNotIn(text[i : i + 8], where)

    def test_published_frames(self):
        for v in frames.mbus_vectors():
            t = frames.telegram_of(v)
            with self.subTest(v["id"]):
                out, throwaway, told = self.anonymise(["--key", v["key"]], t.octets)
                self.assertEqual(len(out), 2 * len(t.octets) + 1)
                (now,) = self.decode(throwaway, out)
                self.assertEqual(set(now["values"]), set(v["values"]))
                self.assertEqual({f: x for f, x in now["values"].items() if f[0] not in "WR"},
                                 {f: x for f, x in v["values"].items() if f[0] not in "WR"})  # fmt: skip
                self.assertEqual(now["time"], json.loads(self.run_tool("decode", ["--key", v["key"], "--format", "json"], t.octets)[0])["time"])
                self.assertEqual(now["meter"][:6], v["system_title"][:6])
                self.assertNotEqual((now["meter"], now["counter"]), (v["system_title"], t.counter))
                tree = self.run_tool("decode", [*throwaway, "--format", "tree-json"], out.encode())[0]
                self.assert_silent([v["system_title"][6:], v["key"], v["meter_number"]], out, told, tree)

    def test_authenticated(self):
        out, throwaway, _ = self.anonymise(key(TAGGED, TAGGED.ak), TAGGED.telegram().octets)
        self.assertIn("--authentication-key", throwaway)
        self.assertEqual(len(self.decode(throwaway, out)), 1)

    def test_several_meters_from_a_keys_file(self):
        one, other = frames.Meter("anonymise one"), frames.Meter("anonymise other")
        path = self.world.write("keys.csv", frames.keys_csv([one, other]))
        telegrams = [one.telegram(), other.telegram(), one.telegram()]
        out, throwaway, _ = self.anonymise(["--keys-file", path], b"\n".join(t.hex.encode() for t in telegrams))
        now = self.decode(throwaway, out)
        self.assertEqual(len(now), 3)
        self.assertEqual(now[0]["meter"], now[2]["meter"])
        self.assertNotEqual(now[0]["meter"], now[1]["meter"])
        self.assertEqual(now[2]["counter"] - now[0]["counter"], 1)
        self.assertEqual(now[2]["values"]["WIn"] - now[0]["values"]["WIn"], telegrams[2].values["WIn"] - telegrams[0].values["WIn"])

    def test_nothing_passes_undecrypted(self):
        good, foreign = METER.telegram(), frames.Meter("somebody else").telegram()
        broken = good.octets[:60] + bytes([good.octets[60] ^ 1]) + good.octets[61:]
        for why, octets, reason in (
            ("another key", foreign.octets, "wrong-key"), ("a flipped bit", broken, "checksum"), ("half of it", good.frames[0], "truncated"),
            ("text", b"meter 181241675397 of Anna", "not-a-frame"), ("nothing", b"", "not-a-frame"),
            ("octets behind the contents", sealed(frames.notification(1700000000, METER.values(1)) + b"Anna"), "lost-octets"),
            ("P1", b"/SAG5\\253833635_A\r\n\r\n0-0:96.1.1(416E6E61)\r\n!1A2B\r\n", "other-interface")):  # fmt: skip
            with self.subTest(why):
                out, throwaway, told = self.anonymise(key(METER), octets, 65)
                self.assertEqual((out, throwaway), ("", []))
                self.assertRegex(told, f"^zaehlwerk anonymise: {reason}: ")
                self.assert_silent([foreign.meter, good.meter, "181241675397"], out, told)
        # The others of the input come all the same.
        out, throwaway, _ = self.anonymise(key(METER), foreign.octets + good.octets, 65)
        self.assertEqual(len(self.decode(throwaway, out)), 1)

    def test_shifted_days(self):
        t = METER.telegram(utc=1700000000)
        out, throwaway, _ = self.anonymise([*key(METER), "--shift-days", "-400"], t.octets)
        self.assertEqual(self.decode(throwaway, out)[0]["time"], "2022-10-10T22:13:20Z")

    def test_arguments(self):
        for text in KEYS.values():
            self.anonymise(["--key", text], METER.telegram().octets)
        for arguments, status, word in (
            (["--key", "12"], 64, "32 hex digits"), (["--shift-days", "x"], 64, "--shift-days"), (["a", "b"], 64, "one file"),
            (["--nonsense"], 64, "no such option"), (["nowhere.hex"], 66, "nowhere.hex"), (["--keys-file", "nowhere.csv"], 78, "SMARTMETER_KEYS_FILE")):  # fmt: skip
            with self.subTest(arguments):
                out, told = self.run_tool("anonymise", arguments, b"", status)
                self.assertEqual(out, "")
                self.assertIn(word, told)
        self.assertIn("usage: zaehlwerk anonymise", self.run_tool("anonymise", ["--help"], b"")[0])
