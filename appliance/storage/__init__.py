"""The gate's memory on disk: journal, lists, feed, identity. The only room with SQL."""
