"""Write the next migration: what the schema has and the last migration has not."""

import sys
import tempfile

from cloud.store.migrate import write_revision

if len(sys.argv) != 2 or not sys.argv[1].strip():
    sys.exit('usage: python -m cloud.store.migrations "add a table for …"')
with tempfile.TemporaryDirectory() as folder:
    sys.stdout.write(f"{write_revision(f'sqlite:///{folder}/empty.db', sys.argv[1])}\n")
