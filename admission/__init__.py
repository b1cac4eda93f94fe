"""The heart: words, rules, signed lists and the protocol. Gate and server stand on it.

Pure: it does no input or output, reads no clock and starts no task; whatever it needs is given.
"""
