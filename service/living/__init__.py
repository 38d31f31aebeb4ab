"""An index that changes while it serves: added items, reloads, replicas."""
