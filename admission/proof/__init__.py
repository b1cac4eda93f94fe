"""Tickets that prove themselves: read and verified. Asked through a list's issuers."""
