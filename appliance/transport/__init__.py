"""The way to the sync server. The only room that speaks HTTP to the outside."""
