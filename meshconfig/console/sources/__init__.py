"""Where pages read and write: a cluster, with the person's own rights, or the mesh on this machine."""
