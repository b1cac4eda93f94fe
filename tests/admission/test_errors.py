"""The tree of errors that is drawn is the tree there is."""

import inspect
import re

from admission import errors


def drawn_tree():
    """Read the drawing at the top of the module: each class and the one it hangs from."""
    parents, open_at = {}, {}
    for line in inspect.getdoc(errors).splitlines():
        match = re.match(r"([│├└─ ]*)([A-Z]\w+Error)\b", line)
        if match:
            depth = len(match[1]) // 4
            open_at[depth] = match[2]
            parents[match[2]] = open_at.get(depth - 1, "Exception")
    return parents


def test_the_tree_of_errors_is_the_one_that_is_drawn():
    classes = [value for value in vars(errors).values() if inspect.isclass(value)]
    assert drawn_tree() == {one.__name__: one.__bases__[0].__name__ for one in classes}
    assert all(one.__doc__ for one in classes)
