"""Telegrams and what must come out of them, written apart from the C code.

Two sources: the field vectors (real frames with published values), and an encoder of its own that
makes the Netz NÖ layout with any values, so that a test knows every expected octet.
"""

import ctypes
import ctypes.util
import hashlib
import json
import pathlib
import re
import struct
from datetime import datetime, timezone

ROOT = pathlib.Path(__file__).resolve().parents[2]
ORIGINAL = ["WIn", "WOut", "PIn", "POut", "U1", "U2", "U3", "I1", "I2", "I3", "PF"]
UNITS = dict(zip(ORIGINAL, ["Wh", "Wh", "W", "W", "V", "V", "V", "A", "A", "A", "1"]))

_crypto = ctypes.CDLL(ctypes.util.find_library("crypto"))
for _name in ("EVP_CIPHER_CTX_new", "EVP_aes_128_gcm"):
    getattr(_crypto, _name).restype = ctypes.c_void_p


def seal(key, nonce, plain, aad=b""):
    """AES-128-GCM by OpenSSL: ciphertext, 12 octets of tag."""
    ctx = ctypes.c_void_p(_crypto.EVP_CIPHER_CTX_new())
    out, n = ctypes.create_string_buffer(len(plain) + 16), ctypes.c_int()
    tag = ctypes.create_string_buffer(12)
    _crypto.EVP_EncryptInit_ex(ctx, ctypes.c_void_p(_crypto.EVP_aes_128_gcm()), None, key, nonce)
    if aad:
        _crypto.EVP_EncryptUpdate(ctx, None, ctypes.byref(n), aad, len(aad))
    _crypto.EVP_EncryptUpdate(ctx, out, ctypes.byref(n), plain, len(plain))
    _crypto.EVP_EncryptFinal_ex(ctx, out, ctypes.byref(ctypes.c_int()))
    _crypto.EVP_CIPHER_CTX_ctrl(ctx, 0x10, 12, tag)  # EVP_CTRL_AEAD_GET_TAG
    _crypto.EVP_CIPHER_CTX_free(ctx)
    return out.raw[: len(plain)], tag.raw


def mbus(data, ci, sap=b"\x01\x67"):
    """One M-Bus long frame around a piece of an APDU."""
    body = b"\x53\xFF" + bytes([ci]) + sap + data
    length = len(body) & 0xFF
    return bytes([0x68, length, length, 0x68]) + body + bytes([sum(body) & 0xFF, 0x16])


def mbus_frames(apdu, size=245):
    pieces = [apdu[i : i + size] for i in range(0, len(apdu), size)]
    last = len(pieces) - 1
    return [mbus(p, (i & 15) | (0x10 if i == last else 0)) for i, p in enumerate(pieces)]


def cosem_time(utc, deviation=-60):
    t = datetime.fromtimestamp(utc - 60 * deviation, timezone.utc)
    head = struct.pack(">HBBBBBBB", t.year, t.month, t.day, t.isoweekday(), t.hour, t.minute, t.second, 0)
    return head + struct.pack(">hB", deviation, 0)


# OBIS code, type tag, struct format, scaler, unit, field: the objects of the Netz NÖ profile.
LAYOUT = [
    ("0100010800FF", 6, ">I", 0, 30, "WIn"),
    ("0100020800FF", 6, ">I", 0, 30, "WOut"),
    ("0100010700FF", 6, ">I", 0, 27, "PIn"),
    ("0100020700FF", 6, ">I", 0, 27, "POut"),
    ("0100200700FF", 18, ">H", -1, 35, "U1"),
    ("0100340700FF", 18, ">H", -1, 35, "U2"),
    ("0100480700FF", 18, ">H", -1, 35, "U3"),
    ("01001F0700FF", 18, ">H", -2, 33, "I1"),
    ("0100330700FF", 18, ">H", -2, 33, "I2"),
    ("0100470700FF", 18, ">H", -2, 33, "I3"),
    ("01000D0700FF", 16, ">h", -3, 255, "PF"),
]


def notification(utc, values, number=b"181241675397"):
    """The plain data-notification with these values, a dict by field name."""
    clock = cosem_time(utc)
    out = b"\x0F\x80\x00\x00\x01\x0C" + clock + b"\x02\x23\x09\x0C" + clock
    for obis, tag, form, scaler, unit, field in LAYOUT:
        mantissa = round(values[field] * 10**-scaler)
        out += b"\x09\x06" + bytes.fromhex(obis) + bytes([tag]) + struct.pack(form, mantissa)
        out += b"\x02\x02\x0F" + struct.pack("b", scaler) + b"\x16" + bytes([unit])
    return out + b"\x09" + bytes([len(number)]) + number


def cipher(title, key, counter, plain, ak=None):
    """general-glo-ciphering around a plain APDU; with an authentication key, tagged."""
    control = b"\x30" if ak else b"\x20"
    tail = struct.pack(">I", counter)
    text, tag = seal(key, title + tail, plain, control + ak if ak else b"")
    body = control + tail + text + (tag if ak else b"")
    return b"\xDB\x08" + title + b"\x82" + struct.pack(">H", len(body)) + body


def values_text(values, utc):
    """The original application's line: it was Python's json.dumps, so this is its very form."""
    line = {f: {"value": values[f], "unit": UNITS[f]} for f in ORIGINAL if f in values}
    line["timestamp"] = {"value": utc, "unit": "s"}
    return json.dumps(line)


def row(meter, counter, utc, values):
    """What `history` must hold, less the time of arrival."""
    columns = {f.lower(): values.get(f) for f in ORIGINAL}
    return {"meter": meter, "counter": counter, "time": utc, "suspect": None, **columns}


class Telegram:
    """One telegram and everything that is known about it."""

    def __init__(self, meter, counter, utc, values, frames):
        self.meter, self.counter, self.time, self.values = meter, counter, utc, values
        self.frames = frames  # link frames, each bytes
        self.octets = b"".join(frames)
        self.hex = self.octets.hex().upper()
        self.text = values_text(values, utc)
        self.row = row(meter, counter, utc, values)


class Meter:
    """A meter whose telegrams this module makes, each a little later than the one before. The name
    alone decides title and key."""

    def __init__(self, name, ak=None, utc=1767225600, counter=1000, step=5):
        digest = hashlib.sha256(name.encode()).digest()
        self.title, self.key, self.ak = b"TST" + digest[:5], digest[16:], ak
        self.id = self.title.hex().upper()
        self.utc, self.counter, self.step = utc, counter, step

    def values(self, n):
        return {"WIn": 10000000 + n % 1000000, "WOut": 219, "PIn": n % 5000, "POut": 0, "U1": 233.8, "U2": 234.1,
                "U3": 230.0, "I1": 0.33, "I2": 1.5, "I3": 0.0, "PF": 0.943}  # fmt: skip

    def apdu(self, counter, utc, values):
        return cipher(self.title, self.key, counter, notification(utc, values), self.ak)

    def telegram(self, counter=None, utc=None, values=None):
        if counter is None:
            self.counter += 1
            counter = self.counter
        if utc is None:
            self.utc += self.step
            utc = self.utc
        values = values or self.values(counter)
        return Telegram(self.id, counter, utc, values, mbus_frames(self.apdu(counter, utc, values)))


def vectors():
    return json.loads((ROOT / "tests/vectors/field.json").read_text(encoding="utf-8"))


def vector(vid):
    return next(v for v in vectors() if v["id"] == vid)


def telegram_of(v):
    """A field vector as a telegram, from its published values alone."""
    utc = int(datetime.fromisoformat(v["clock"]).timestamp())
    return Telegram(v["system_title"], v["frame_counter"], utc, v["values"], [bytes.fromhex(f) for f in v["frames"]])


BROKEN = "ewr-kaifa-ma309m-broken-second-fragment"


def mbus_vectors():
    """Every real M-Bus vector with a key, the damaged one left out."""
    return [v for v in vectors() if v["link"] == "mbus" and v["key"] and v["id"] != BROKEN]


def header_of(octets):
    """Meter id and frame counter, which every encrypted telegram has in clear."""
    found = re.search(rb"\xDB\x08(.{8})(?:\x82..|\x81.|[\x00-\x7F])[\x20\x21\x30\x31](.{4})", octets, re.S)
    return found[1].hex().upper(), int.from_bytes(found[2], "big")


def keys_csv(keys):
    """A keys file for meters (Meter or field vector) as SMARTMETER_KEYS_FILE wants it."""
    lines = ["system_title,key,authentication_key,name"]
    for k in keys:
        if isinstance(k, Meter):
            lines.append(f"{k.id},{k.key.hex()},{k.ak.hex() if k.ak else ''},")
        else:
            lines.append(f"{k['system_title']},{k['key']},,{k['id']}")
    return "\n".join(lines) + "\n"
