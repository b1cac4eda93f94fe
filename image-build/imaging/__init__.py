"""Builds the image that a gate's card is written with; see docs/operations/image.md.

Never part of what runs on a gate: it stands on the repository's own tools and on Debian's.
"""
