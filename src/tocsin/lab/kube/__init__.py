"""A Kubernetes API over the practice production's real processes, good enough for the real kubectl and for kr8s.

Objects are plain JSON values, as the API carries them; only documented fields are written. What a request changes, the
controllers of this package make true: deployments, replica sets, the kubelet with its processes, the autoscaler.
"""
