"""The gate: reader -> scan -> verdict -> journal -> turnstile and display, in one process."""
