"""A building that speaks the real wire protocols, with faults on demand. Imports protocol only."""
