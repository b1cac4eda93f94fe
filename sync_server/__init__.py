"""The house of record: sources -> signed lists -> gates; journals -> reconciliation -> reports."""
