"""Manifests of an attempt as pure functions: spec and platform in, Kubernetes objects out."""
