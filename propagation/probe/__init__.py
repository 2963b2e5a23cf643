"""Try out, in this process, whether an app or a client library carries the fields. For `doctor` and `testing`."""
