"""What people see and hear at a gate: pictures, light and sound. Bound by `main` alone."""
