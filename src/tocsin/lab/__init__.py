"""A small practice production: real processes that can be broken and mended, no cluster or Docker needed.

Nothing of the product imports it: what it learns of this production it learns through HTTP, `kubectl`, SQL and alerts,
as it would of any other. What runs in its pods (`apps/`) and its stand-in for kubectl need the standard library alone,
so that they start fast; the Kubernetes API (`kube/`) is served by Starlette and uvicorn.
"""
