"""Ticket lists: their packed file, their signed manifest, and the rules of believing one."""
