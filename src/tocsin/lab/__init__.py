"""A small practice production: real processes that can be broken and mended, no Kubernetes or Docker needed.

Imports nothing but the standard library, and nothing of the product imports it: what it learns of this production it
learns through HTTP, `kubectl` and alerts, as it would of any other.
"""
