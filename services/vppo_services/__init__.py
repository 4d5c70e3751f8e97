"""Everything that runs except the operator: the roles, the driver, the doors."""
