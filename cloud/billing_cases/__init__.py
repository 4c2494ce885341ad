"""Runs worked billing examples through the real domain code: `gatehouse bill cases FILE`.

A case states inputs and expected results; its topic names the adapter that turns the inputs into
calls of `cloud.domain`. The invariant: an input nobody read or an expected value nobody computed makes
a case "not supported", never passed.
"""
