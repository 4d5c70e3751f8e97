"""Jobs of a cluster: a store of VPPOJob objects, and who may do what by the rules of Kubernetes."""
