"""From a point at which something fails to a simple one."""
