"""What only a handheld has: a battery's gauge, a trigger, something that shakes."""
