"""What goes wrong when an image is built.

BuildError          the building cannot go on; its text says what, where and what to do
└── RecipeError     layout.toml, a flavour or an argument is not as it has to be
"""


class BuildError(Exception):
    """The image cannot be built; the text is for a person."""


class RecipeError(BuildError):
    """What the image is to be made of is written down wrong."""
