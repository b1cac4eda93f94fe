"""The gate's own pages, on its own machine: what the display shows, live. Bound by `main` alone."""
