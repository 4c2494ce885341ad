"""How the schema came to be, one file a step, forward only; never edited once released.

A new step: change `cloud/store/schema/`, then run
`python -m cloud.store.migrations "what it does"` and read what it wrote: data moves, triggers and
partial indexes are for a person to check. Removing or renaming takes two releases.
"""
