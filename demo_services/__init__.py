"""Two small services, cat and mouse, that say which version answered."""
