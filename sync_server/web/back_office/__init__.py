"""The operators' pages, behind a login. Composed by `main`; works without scripts, better with."""
