"""The database: tables, migrations and one repository per subject. The only place with SQL."""
