"""zaehlwerk decode: any accepted payload in, readings out, or one line that says why not."""

import json
from datetime import datetime, timezone

import frames
from harness import BIN, Case

METER = frames.Meter("decode")
TAGGED = frames.Meter("decode, tagged", ak=bytes(range(16)))
OTHER = frames.Meter("another")
T = METER.telegram()
FIRST = len(T.frames[0])


def rfc3339(utc):
    return datetime.fromtimestamp(utc, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def with_octet(octets, at, value):
    return octets[:at] + bytes([value]) + octets[at + 1 :]


def sealed(plain, meter=METER):
    """A telegram around any plain APDU."""
    return b"".join(frames.mbus_frames(frames.cipher(meter.title, meter.key, 5, plain, meter.ak)))


def key(meter, ak=None):
    return ["--key", meter.key.hex(), *(["--authentication-key", ak.hex()] if ak else [])]


def bit_7_noise(frame):
    """Bit 7 of C, A, CI and every eleventh octet of the data changed: an odd number in all."""
    at = [4, 5, 6, *range(20, len(frame) - 2, 11)]
    at = at if len(at) % 2 else at[:-1]
    return bytes(o ^ 128 if i in at else o for i, o in enumerate(frame))


PLAIN = frames.notification(1700000000, METER.values(1))
# Verdict, what it is about, arguments, input.
VERDICTS = [
    ("checksum", "a flipped bit in the first frame", key(METER), with_octet(T.octets, 60, T.octets[60] ^ 1)),
    ("checksum", "a flipped bit in the second frame", key(METER), with_octet(T.octets, FIRST + 12, T.octets[FIRST + 12] ^ 128)),
    ("checksum", "a flipped bit and a wrong key", key(OTHER), with_octet(T.octets, 60, T.octets[60] ^ 1)),
    ("truncated", "the first frame alone", key(METER), T.frames[0]),
    ("truncated", "half of the first frame", key(METER), T.octets[:120]),
    ("truncated", "all but the last octet", key(METER), T.octets[:-1]),
    ("lost-octets", "one octet missing in the first frame", key(METER), T.octets[:77] + T.octets[78:]),
    ("lost-octets", "thirty octets missing in the first frame", key(METER), T.octets[:77] + T.octets[107:]),
    ("lost-octets", "sound frames, one octet of the APDU missing", key(METER), b"".join(frames.mbus_frames(T.frames[0][9:-2] + T.frames[1][10:-2]))),
    ("lost-octets", "the key fits, the plaintext breaks off", key(METER), sealed(PLAIN[:-40])),
    ("sequence", "the second frame alone", key(METER), T.frames[1]),
    ("sequence", "the second frame first", key(METER), T.frames[1] + T.frames[0]),
    ("sequence", "a fragment to other SAPs", key(METER), bytes.fromhex("".join(frames.vector(frames.BROKEN)["frames"]))),
    ("no-key", "no key given", [], T.octets),
    ("no-key", "authenticated, and no authentication key", key(TAGGED), TAGGED.telegram().octets),
    ("wrong-key", "another key", key(OTHER), T.octets),
    ("wrong-key", "the seed frame", key(OTHER), bytes.fromhex("".join(frames.vector("seed-frame")["frames"]))),
    ("wrong-key", "authenticated, another key", key(OTHER, TAGGED.ak), TAGGED.telegram().octets),
    ("tag", "another authentication key", key(TAGGED, OTHER.key), TAGGED.telegram().octets),
    ("tag", "a tag of another telegram", key(TAGGED, TAGGED.ak), None),
    ("other-interface", "a P1 telegram inside", None, None),
    ("other-interface", "P1 text", key(METER), b"/SAG5\\253833635_A\r\n\r\n1-0:1.8.0(000123.456*kWh)\r\n!1A2B\r\n"),
    ("other-interface", "lines of P1 text", key(METER), b"1-0:1.8.0(000123.456*kWh)\r\n1-0:2.8.0(000000.000*kWh)\r\n"),
    ("other-interface", "ciphered P1, cut short", key(METER), bytes.fromhex(frames.vector("steiermark-sagemcom-t210dr-1")["frames"][0])[:300]),
    ("other-interface", "an HDLC frame", key(METER), bytes.fromhex(frames.vector("wien-iskra-am550-gist")["frames"][0])),
    ("parity", "7 data bits", key(METER), bytes(o & 127 for o in T.frames[0])),
    ("parity", "even octets replaced", key(METER), bytes(o if bin(o).count("1") % 2 else 0 for o in T.frames[0])),
    ("parity", "even octets dropped", key(METER), bytes(o for o in T.frames[0] if bin(o).count("1") % 2)),
    ("parity", "bit 7 noise", key(METER), bit_7_noise(T.frames[0])),
    ("unknown-layout", "no register inside", key(METER), sealed(b"\x0F\x80\x00\x00\x01\x00\x02\x01\x11\x05")),
    ("not-a-frame", "text", key(METER), b"Good morning"),
    ("not-a-frame", "nothing at all", key(METER), b""),
    ("not-a-frame", "broken JSON", key(METER), b'{"SSerialReceived":"68'),
    ("not-a-frame", "JSON of another kind", key(METER), b'{"temperature": 20}'),
    ("not-a-frame", "a picture", key(METER), b"\x89PNG\r\n\x1a\n" + bytes(range(32))),
]  # fmt: skip


def fill(verdict, why, arguments, octets):
    """The inputs that need more than one line."""
    if why == "a tag of another telegram":
        apdus = [TAGGED.apdu(9, 1700000000, TAGGED.values(n)) for n in (1, 2)]
        octets = b"".join(frames.mbus_frames(apdus[0][:-12] + apdus[1][-12:]))
    if why == "a P1 telegram inside":
        v = frames.vector("luxembourg-smarty-t210d")
        arguments, octets = ["--key", v["key"], "--authentication-key", v["authentication_key"]], bytes.fromhex(v["frames"][0])
    return verdict, why, arguments, octets


KEYS = {
    "lower case": METER.key.hex(),
    "upper case": METER.key.hex().upper(),
    "with spaces": " ".join(f"{o:02X}" for o in METER.key),
    "in groups": f" {METER.key.hex()[:16]} {METER.key.hex()[16:]} ",
    "with colons": ":".join(f"{o:02x}" for o in METER.key),
    "as a C array": "{" + ", ".join(f"0x{o:02X}" for o in METER.key) + "}",
    "0x in front": "0x" + METER.key.hex(),
}


class Decode(Case):
    def decode(self, arguments, octets):
        result = self.world.tool(BIN / "zaehlwerk", "decode", *arguments, stdin=octets)
        return result.returncode, result.stdout.decode(), result.stderr.decode()

    def test_verdicts(self):
        for verdict, why, arguments, octets in (fill(*row) for row in VERDICTS):
            for form, data in (("raw", octets), ("hex", octets.hex().encode())):
                if form == "hex" and (verdict == "not-a-frame" or not octets):
                    continue
                with self.subTest(verdict, why=why, form=form):
                    status, out, told = self.decode(arguments, data)
                    self.assertEqual((status, out), (65, ""), told)
                    if why != "the second frame first":  # that is two that fail
                        self.assertEqual(told.count("\n"), 1, told)
                    self.assertRegex(told, f"^(zaehlwerk decode: )?{verdict}: .+")

    def test_published_values(self):
        for v in frames.mbus_vectors() + [frames.vector("netznoe-sagemcom-t210d-olddoc")]:
            t = frames.telegram_of(v)
            with self.subTest(v["id"]):
                status, out, told = self.decode(["--key", v["key"], "--format", "json"], t.octets)
                self.assertEqual((status, told), (0, ""))
                self.assertEqual(json.loads(out), {
                    "meter": t.meter, "counter": t.counter, "time": rfc3339(t.time), "clock_status": int(v["clock_status"], 16),
                    "meter_number": v["meter_number"], "values": v["values"]})  # fmt: skip
                self.assertEqual(out.count("\n"), 1)
                self.assertEqual(self.decode(["--key", v["key"], "--format", "values"], t.octets), (0, t.text + "\n", ""))

    def test_json_has_plain_numbers(self):
        """As the issue shows it: no quotes, no exponent, decimals as in the original's form."""
        v = frames.vector("netznoe-kaifa-ma309m-doc")
        _, out, _ = self.decode(["--key", v["key"], "--format", "json"], "".join(v["frames"]).encode())
        self.assertTrue(out.startswith('{"meter":"4B464D2D3281D0BF","counter":35,"time":"2021-09-27T07:47:15Z",'), out)
        self.assertIn('"values":{"WIn":12937,"WOut":0,"PIn":0,"POut":0,"U1":233.7,"U2":0.0,', out)

    def test_table(self):
        status, out, told = self.decode([*key(METER), "--format", "table"], T.octets)
        self.assertEqual((status, told), (0, ""))
        for word in (METER.id, "181241675397", str(T.counter), rfc3339(T.time)):
            self.assertIn(word, out)
        for field, value in T.values.items():
            self.assertRegex(out, rf"(?m)^ *{field} +{value} {frames.UNITS[field]}$")
        self.assertEqual(self.decode(key(METER), T.octets)[1], out, "the default")

    def test_tree(self):
        status, out, told = self.decode([*key(METER), "--format", "tree"], T.octets)
        self.assertEqual((status, told), (0, ""))
        lines = [" ".join(line.split()) for line in out.splitlines()]
        for line in (
            "telegram: 1, 283 octets", "M-Bus frame: 256 octets, sound", "0001 FA FA L: 250", "0006 00 CI: fragment 0, more follow",
            "0106 11 CI: fragment 1, the last", "0008 67 DTSAP: 103", "APDU: 261 octets", "0000 DB tag: general-glo-ciphering",
            f"000E {T.counter.to_bytes(4, 'big').hex(' ').upper()} invocation counter: {T.counter}", "plaintext: 243 octets",
            "000D 20 security control: suite 0, encrypted, not authenticated, unicast key", f"= in UTC: {rfc3339(T.time)}",
            "0012 02 23 structure: of 35", "0022 09 06 01 00 01 08 00 FF octet string: OBIS 1-0:1.8.0*255 active energy import",
            "verdict: ok"):  # fmt: skip
            self.assertIn(line, lines)
        for field, value in T.values.items():
            self.assertIn(f"{field} = {value} {frames.UNITS[field]}".removesuffix(" 1"), lines)
        self.assertIn(f"system title: {METER.id}: TST", out)
        self.assertNotIn("!", out)

    def test_tree_of_what_does_not_decode(self):
        for verdict, why, arguments, octets in (fill(*row) for row in VERDICTS):
            if not octets or "JSON" in why:
                continue
            with self.subTest(verdict, why=why):
                status, out, told = self.decode([*arguments, "--format", "tree"], octets)
                self.assertEqual(status, 65)
                self.assertRegex(told, f"^zaehlwerk decode: {verdict if why != 'the second frame first' else 'sequence'}: ")
                self.assertRegex(out, rf"(?m)^! +([0-9A-F]{{4}} .+|verdict: )\b{verdict}: ")
        _, out, _ = self.decode([*key(METER), "--format", "tree"], T.frames[0])  # half of it all the same
        self.assertIn("WIn = ", out)
        _, out, _ = self.decode([*key(METER), "--format", "tree"], VERDICTS[0][3])
        self.assertRegex(out, "(?m)^! +00FE  .. +checksum: .. expected, .. found$")

    def test_tree_covers_every_octet(self):
        for v in frames.vectors():
            octets = bytes.fromhex("".join(v["frames"]))
            arguments = [*(["--key", v["key"]] if v["key"] else []), "--format", "tree-json"]
            with self.subTest(v["id"]):
                out = self.decode(arguments, octets)[1] if octets else ""
                leaves = [n for n in map(json.loads, out.splitlines()) if n["leaf"] and n["space"] == "input"]
                self.assertEqual(bytes.fromhex("".join(n["octets"] for n in leaves)), octets)
                self.assertEqual([n["at"] for n in leaves[1:]], [n["at"] + n["length"] for n in leaves[:-1]])

    def test_key_spellings(self):
        for why, text in KEYS.items():
            with self.subTest(why):
                self.assertEqual(self.decode(["--key", text, "--format", "values"], T.octets), (0, T.text + "\n", ""))

    def test_authenticated(self):
        t = TAGGED.telegram()
        self.assertEqual(self.decode([*key(TAGGED, TAGGED.ak), "--format", "values"], t.octets), (0, t.text + "\n", ""))

    def test_inputs(self):
        (self.world.path / "frame.hex").write_text(T.hex + "\n", encoding="utf-8")
        (self.world.path / "frame.bin").write_bytes(T.octets)
        for arguments, stdin in (
            (["frame.hex"], b""), (["frame.bin"], b""), (["-"], T.octets), ([], T.hex.lower().encode()),
            ([], json.dumps({"SSerialReceived": T.hex}).encode()), ([], json.dumps({"data": T.hex}).encode())):  # fmt: skip
            with self.subTest(arguments, stdin=stdin[:20]):
                self.assertEqual(self.decode([*key(METER), "--format", "values", *arguments], stdin), (0, T.text + "\n", ""))
        status, _, told = self.decode([*key(METER), "nowhere.hex"], b"")
        self.assertEqual(status, 66)
        self.assertIn("nowhere.hex", told)

    def test_several_telegrams(self):
        telegrams = [METER.telegram() for _ in range(3)]
        octets = b"".join(t.octets for t in telegrams)
        lines = "".join(f"{t.text}\n" for t in telegrams)
        arguments = [*key(METER), "--format", "values"]
        self.assertEqual(self.decode(arguments, octets), (0, lines, ""))
        self.assertEqual(self.decode(arguments, b"\n".join(t.hex.encode() for t in telegrams)), (0, lines, ""))
        # One of them damaged: the others all the same, and status 65.
        damaged = telegrams[0].octets + with_octet(telegrams[1].octets, 60, telegrams[1].octets[60] ^ 1) + telegrams[2].octets
        status, out, told = self.decode(arguments, damaged)
        self.assertEqual((status, out), (65, f"{telegrams[0].text}\n{telegrams[2].text}\n"))
        self.assertRegex(told, "^(zaehlwerk decode: )?checksum: [^\n]+\n$")

    def test_usage_errors(self):
        for arguments, word in (
            (["--key", "12"], "32 hex digits"), (["--key", "ThisIsMyMeterKey"], "16 characters"), (["--key"], "key"),
            (["--key", METER.key.hex() + "00"], "more than 32"), (["--format", "xml"], "format"), (["--nonsense"], "nonsense"),
            (["--authentication-key", "zz"], "32 hex digits"), (["a", "b"], "one file")):  # fmt: skip
            with self.subTest(arguments):
                status, out, told = self.decode(arguments, T.octets)
                self.assertEqual((status, out), (64, ""), told)
                self.assertIn(word, told)
                self.assertNotIn("ThisIsMyMeterKey", told)
        self.assertEqual(self.decode(["--help"], b"")[0], 0)
        for arguments, status in (([], 64), (["fly"], 64), (["--help"], 0), (["--version"], 0)):
            self.assertEqual(self.world.tool(BIN / "zaehlwerk", *arguments).returncode, status, arguments)
