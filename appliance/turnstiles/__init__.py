"""What lets one person through: relays with their sensors, and lanes without an arm."""
