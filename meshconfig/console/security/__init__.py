"""Who may talk to the console: hosts, origins, sealed cookies, the secret of the address, and headers of answers."""
