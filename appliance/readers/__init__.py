"""What reads codes: cameras, serial scanners, folders of pictures. Bound by `main` alone."""
