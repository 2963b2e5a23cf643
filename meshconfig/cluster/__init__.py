"""To the cluster: what is there, what should be, and the way between them with no request lost. The only I/O."""
