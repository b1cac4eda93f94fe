"""Whom to believe: keys, the signed envelope, the roles and what never goes back."""
