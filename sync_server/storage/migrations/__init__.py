"""How the tables came to be: one numbered step per change, run at every start."""
