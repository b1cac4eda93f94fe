"""The site server's way to its upstream: a client over HTTP(S), bound by `site_main` alone."""
