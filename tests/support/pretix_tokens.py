"""Tickets as pretix writes them, made from the format's description and `cryptography` alone."""

import base64

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC_KEY = KEY.public_key().public_bytes_raw()

# From the tests of libpretixsync (the library of pretix's own scanning apps), with the key of its
# event `demo`: product 1 of date 14; product 1 from and until an instant; product 100; a forgery.
DEMO_KEY = (
    "LS0tLS1CRUdJTiBQVUJMSUMgS0VZLS0tLS0KTUNvd0JRWURLMlZ3QXlFQTdBRDcvdkZBMzNFc1k0ejJQSHI3aVpQc1o4"
    "bjVkaDBhalA4Z3l6Tm1tSXM9Ci0tLS0tRU5EIFBVQkxJQyBLRVktLS0tLQo="
)
DEMO_KEY_2 = (
    "LS0tLS1CRUdJTiBQVUJMSUMgS0VZLS0tLS0KTUNvd0JRWURLMlZ3QXlFQVlNSnNPbkxwNUFXR3BKK2RGSkUycjlET1hl"
    "UUlaZ1ZyQ3Q5M0xBbDVCTjg9Ci0tLS0tRU5EIFBVQkxJQyBLRVktLS0tLQo="
)
DEMO_TICKET = (
    "E4BibyTSylQOgeKjuMPiTDxi5HXPuTVsx1qCli3IL0143gj0EZXOB9iQInANxRFJTt4Pf9nXnHdB91Qk/RN0L5AIBABS"
    "xw2TKFnSUNUCKAEAPAQA"
)
DEMO_FROM = (
    "Ok4EsqDRCr2cL6yDRtqeP7j5Usr1Vj1Db7J0izOuRGx6Qn0BS1ISW2nxlW8PXkYRk7PJhIBmsK1V1ucq5obBoBAMG4p9"
    "jCPKBAheRdFV0REVDZUCKAEAVAQA"
)
DEMO_UNTIL = (
    "EU9dJn3k5jzwfY4JQAKrTOVFmo+BvZKwH6UAIFOz3XTxABa7tmjU5UoLD8hJr3440uY7IFEHzau1DVk0sP994bgnzLNs"
    "wAAKBARdUdGMmNVSHVUCKAEAVAQA"
)
DEMO_OTHER_PRODUCT = (
    "OUmw2Ro3YOMQ4ktAlAIsDVe4Xsr1KXla/0SZVN34qIZWtUX0hx1DXDHxaCatGTNzOeCMjHQABR5E6ESCOOx1g7AIkBhV"
    "kdDdJJTVSZWCKAEAPAQA"
)
DEMO_FORGED = "EFAKE" + DEMO_TICKET[5:]
DEMO_PADDED = (
    "==QCiFO1apLFypH1BXorPlbn4efNA0aCAsO1Z2hsmY/hKTI3/UVSlON/Vw8WSYof/1tz5tepBltUAg4GnzpOBSSlqARY"
    "hFWYhFWYhFWCKAEANAQA"
)


def varint(number):
    """Write a whole number as protocol buffers do; negative ones in 64 bits."""
    number %= 1 << 64
    written = bytearray()
    while number > 0x7F:
        written.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*written, number])


def payload(*, seed="aB3dE6gH9", item=1, variation=0, subevent=0, since=0, until=0):
    """Write a ticket: zeros of the first fields are left out, those of the times are written."""
    parts = [b"\x0a", varint(len(seed)), seed.encode()] if seed else []
    for tag, value in ((b"\x10", item), (b"\x18", variation), (b"\x20", subevent)):
        parts += [tag, varint(value)] if value else []
    return b"".join([*parts, b"\x28", varint(since), b"\x30", varint(until)])


def raw(signed, key=KEY):
    """Sign a payload and put it into its frame."""
    signature = key.sign(signed)
    lengths = len(signed).to_bytes(2, "big") + len(signature).to_bytes(2, "big")
    return b"\x01" + lengths + signed + signature


def text(data):
    """Write a frame as the text that a code holds."""
    return base64.b64encode(data).decode()[::-1]


def token(key=KEY, **fields):
    """Issue a ticket."""
    return text(raw(payload(**fields), key))
