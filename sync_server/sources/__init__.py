"""Where ticket numbers come from, one module per kind. Imported by `main` only."""
