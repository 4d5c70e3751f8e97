"""The Kubernetes API as the rest of the project speaks it: kinds, objects as dicts, few verbs."""
